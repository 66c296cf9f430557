// Finds strings that a language lacks, has too many, or whose {parameters} differ, and keys
// that the page asks for but no table has: node tools/strings.mjs

import { readdirSync, readFileSync } from 'node:fs';

const web = new URL('../', import.meta.url);
const languages = readdirSync(new URL('lang/', web));
const tables = Object.fromEntries(await Promise.all(languages.map(async (file) =>
  [file, (await import(new URL(`lang/${file}`, web).href)).default])));
const english = tables['en.js'];
const problems = [];

/** @param {string} words */
const parameters = (words) => [...words.matchAll(/\{\w+\}/g)].map(([each]) => each).sort().join();

for (const [file, table] of Object.entries(tables)) {
  for (const key of Object.keys(table)) if (!(key in english)) problems.push(`${file}: ${key} is not in en.js`);
  for (const [key, words] of Object.entries(english)) {
    if (!table[key]) problems.push(`${file}: ${key} is missing`);
    else if (parameters(table[key]) !== parameters(words)) problems.push(`${file}: ${key} has other parameters`);
  }
}
for (const file of readdirSync(web).filter((name) => /\.(js|html)$/.test(name))) {
  const source = readFileSync(new URL(file, web), 'utf8');
  const asked = [...source.matchAll(/\b(?:text|message)\('([\w.]+)'/g), ...source.matchAll(/data-(?:text|hint|name)="([\w.]+)"/g)];
  for (const [, key] of asked) if (!(key in english)) problems.push(`${file}: no text for ${key}`);
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

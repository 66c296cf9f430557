// What tests/bench/run runs: see there for the knobs. Prints a table in Markdown and draws charts, into build/bench.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { growthChart, ratioChart } from './support/charts.mjs';
import { codecsTable, measureCodecs } from './support/codecs.mjs';
import { compare } from './support/compare.mjs';
import { growthTable, instancesTable, measureGrowth, measureInstances, measureQuiet, quietTable } from './support/growth.mjs';
import { describeMachine, descriptorPrefix, isThere, load, makeFolder, processors } from './support/machine.mjs';
import { measureOpenSsl, openSslTable } from './support/openssl.mjs';
import { makePeers } from './support/peers.mjs';
import { rows } from './support/rows.mjs';
import { measureSystemCalls, systemCallsTable } from './support/syscalls.mjs';
import { comparisonTable, missed, number } from './support/table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const built = path.join(root, 'build/release');
const out = path.join(root, 'build/bench');
const environment = process.env;
const words = (name) => (environment[name] ?? '').split(/[\s,]+/).filter(Boolean);
const positive = (name, usual) => {
  const value = Number(environment[name] || usual);
  if (value > 0) return value;
  console.error(`${name} has to be a number over 0`);
  process.exit(2);
};

function chooseRows(names) {
  const special = ['codecs', 'growth', 'idle5000', 'instances', 'syscalls', 'openssl'];
  const known = new Set([...rows.flatMap((row) => [row.scenario, row.name]), ...special]);
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length) {
    console.error(`there is no scenario ${unknown.join(', ')}; there are: ${[...known].join(' ')}`);
    process.exit(2);
  }
  const wanted = (...any) => names.length === 0 || any.some((name) => names.includes(name));
  return { chosen: rows.filter((row) => wanted(row.scenario, row.name)), also: Object.fromEntries(special.map((name) => [name, wanted(name)])) };
}

/** Says which peers are not there, once. */
function choosePeers(peers) {
  const names = words('PEERS');
  for (const name of names.filter((each) => !(each in peers))) {
    console.error(`there is no peer ${name}; there are: ${Object.keys(peers).join(' ')}`);
    process.exit(2);
  }
  const absent = Object.keys(peers).filter((name) => !isThere(peers[name].program) || (peers[name].needs && !isFile(peers[name].needs)));
  for (const name of absent) console.error(`${name} is skipped: there is no ${peers[name].program} (scripts/install-deps bench)`);
  return (name) => name in peers && !absent.includes(name) && (names.length === 0 || names.includes(name));
}

const isFile = (file) => {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
};

function say(row, name, figures) {
  if (figures === null) return;
  const figure = figures.ok ? `${number(figures[row.figure] * (row.scale ?? 1))} ${row.unit ?? row.figure}` : `failed: ${figures.error}`;
  console.error(`  ${row.name.padEnd(16)} ${name.padEnd(14)} ${figure}${row.figure === 'cpu_s_per_gb' && figures.own_use > 0.95 ? '  (the load generator was busy all the time)' : ''}`);
}

/** Puts `text` between the marks of that name in RESULTS.md. */
function publish(name, text) {
  const file = path.join(here, 'RESULTS.md');
  const marks = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- end of ${name} -->)`);
  writeFileSync(file, readFileSync(file, 'utf8').replace(marks, (_, before, after) => `${before}${text}\n${after}`));
}

const started = Date.now();
const descriptors = descriptorPrefix();
const peers = makePeers({ built, wsproxy: path.resolve(environment.WSPROXY || path.join(built, 'wsproxy')), baseline: environment.BASELINE && path.resolve(environment.BASELINE) });
const wanted = choosePeers(peers);
const { chosen, also } = chooseRows(words('SCENARIOS'));
if (environment.BASELINE) for (const row of chosen) row.peers.push({ name: 'baseline', goal: null, load: [] });
for (const name of words('PEERS')) {
  for (const row of chosen.filter((each) => !each.peers.some((peer) => peer.name === name))) row.peers.push({ name, goal: null, load: [] });
}
const bench = {
  at: makeFolder(), peers, wanted, load: path.join(built, 'bench_load'), processors: processors(), prefix: descriptors.prefix,
  descriptors: descriptors.limit, rounds: positive('ROUNDS', 5), seconds: positive('SECONDS_EACH', 1),
};
mkdirSync(out, { recursive: true });
if (descriptors.limit < 20_000) console.error(`only ${descriptors.limit} descriptors: what needs 9,900 sessions is left out (root may have more)`);

const machine = describeMachine();
const loadBefore = load();
const codecs = also.codecs ? measureCodecs(path.join(built, 'bench_codecs'), bench.processors[0]) : [];
const openssl = also.openssl ? measureOpenSsl(path.join(built, 'bench_openssl_memory'), bench.at) : null;
const results = [];
for (const row of chosen) results.push(await compare(bench, row, say));
const growth = also.growth ? await measureGrowth(bench, say) : [];
const instances = also.instances ? await measureInstances(bench, say) : [];
const quiet = also.idle5000 ? await measureQuiet(bench, say) : [];
const calls = also.syscalls ? await measureSystemCalls(bench, say) : [];

const knobs = ['SCENARIOS', 'PEERS', 'ROUNDS', 'SECONDS_EACH'].filter((name) => environment[name]).map((name) => ` ${name === 'SECONDS_EACH' ? 'SECONDS' : name}="${environment[name]}"`);
const head = `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, \`make bench${knobs.join('')}\` (${bench.rounds} rounds of ${bench.seconds} s, ` +
  `${Math.round((Date.now() - started) / 60_000)} minutes), ${machine}; load ${loadBefore} before, ${load()} behind.`;
const parts = { comparison: results.length ? `${head}\n\n${comparisonTable(results)}` : '', growth: growth.length ? growthTable(growth) : '', idle: quiet.length ? quietTable(quiet) : '',
  instances: instances.length ? instancesTable(instances) : '', codecs: codecs.length ? codecsTable(codecs) : '', syscalls: calls.length ? systemCallsTable(calls) : '', openssl: openssl ? openSslTable(openssl) : '' };
const document = Object.values(parts).filter(Boolean).join('\n\n');
console.log(document);
writeFileSync(path.join(out, 'table.md'), `${document}\n`);
writeFileSync(path.join(out, 'results.json'), JSON.stringify({ head, results, growth, quiet, instances, codecs, calls, openssl }, null, 1));
const charts = { 'chart.svg': results.some((result) => result.peers.some((peer) => peer.ratio)) && ratioChart(results), 'growth.svg': growth.length > 0 && growthChart(growth) };
for (const [name, chart] of Object.entries(charts).filter(([, each]) => each)) {
  writeFileSync(path.join(out, name), chart);
  if (environment.PUBLISH) writeFileSync(path.join(here, name), chart);
}
if (environment.PUBLISH) for (const [name, text] of Object.entries(parts).filter(([, each]) => each)) publish(name, text);
const bad = missed(results);
console.error(bad.length ? `${bad.length} figures miss their goals` : 'every goal is reached');
process.exit(results.some((result) => result.failed) ? 1 : 0);

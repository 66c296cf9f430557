#!/usr/bin/env node
// Bundles the viewer page of src/web into OUTDIR, and writes what the C++ build needs to
// embed it:
//
//   vnc.html vnc_lite.html app.js app.css manifest.webmanifest icon*.{svg,png}
//   defaults.json mandatory.json LICENSES.txt   and each of them as .gz
//   page_assets.S     all of these as bytes: wsproxy_asset_<name>[_gz]_begin and _end
//   page_assets.inc   a line WSPROXY_ASSET(path, type, name, etag) for each
//
// Usage: node scripts/bundle-page.mjs OUTDIR
//
// Equal sources give equal files, whenever and wherever this runs (but for the absolute
// paths in page_assets.S; and a Node with another zlib may pack differently).

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { iconPng } from './page-icon.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const web = join(root, 'src', 'web');
const library = join(web, 'node_modules', '@novnc', 'novnc');

/** The assets in the order of the table. */
const TYPES = {
  'vnc.html': 'text/html; charset=utf-8',
  'vnc_lite.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
  'manifest.webmanifest': 'application/manifest+json',
  'icon.svg': 'image/svg+xml',
  'icon-192.png': 'image/png',
  'icon-512.png': 'image/png',
  'defaults.json': 'application/json',
  'mandatory.json': 'application/json',
  'LICENSES.txt': 'text/plain; charset=utf-8',
};

// What the sources of pako leave to its repository.
const ZLIB = `(C) 1995-2013 Jean-loup Gailly and Mark Adler
(C) 2014-2017 Vitaly Puzrin and Andrey Tupitsin

This software is provided 'as-is', without any express or implied
warranty. In no event will the authors be held liable for any damages
arising from the use of this software.

Permission is granted to anyone to use this software for any purpose,
including commercial applications, and to alter it and redistribute it
freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not
  claim that you wrote the original software. If you use this software
  in a product, an acknowledgment in the product documentation would be
  appreciated but is not required.
2. Altered source versions must be plainly marked as such, and must not be
  misrepresented as being the original software.
3. This notice may not be removed or altered from any source distribution.`;

main();

function main() {
  if (process.argv.length !== 3) fail('usage: node scripts/bundle-page.mjs OUTDIR');
  const out = resolve(process.argv[2]);
  const esbuild = loadEsbuild();
  mkdirSync(out, { recursive: true });

  const contents = {
    'vnc.html': bundleHtml('vnc.html'),
    'vnc_lite.html': bundleHtml('vnc_lite.html'),
    'app.js': bundle(esbuild, 'main.js', {
      format: 'esm',
      target: 'es2022',
      banner: { js: banner('/*!', '*/') },
      define: { NOVNC_VERSION: JSON.stringify(libraryVersion()) },
    }),
    'app.css': bundle(esbuild, 'app.css', { target: ['chrome110', 'firefox115', 'safari16.4'] }),
    'manifest.webmanifest': readFileSync(join(web, 'manifest.webmanifest')),
    'icon.svg': readFileSync(join(web, 'icon.svg')),
    'icon-192.png': iconPng(192),
    'icon-512.png': iconPng(512),
    // The administrator's settings, for who has none: see src/web/settings.js.
    'defaults.json': Buffer.from('{}\n'),
    'mandatory.json': Buffer.from('{}\n'),
    'LICENSES.txt': Buffer.from(licences()),
  };
  for (const [name, content] of Object.entries(contents)) {
    writeFileSync(join(out, name), content);
    writeFileSync(join(out, `${name}.gz`), gzip(content));
  }
  writeFileSync(join(out, 'page_assets.S'), assembler(out));
  writeFileSync(join(out, 'page_assets.inc'), table(contents));
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`bundle-page: ${message}`);
  process.exit(1);
}

/** @returns {typeof import('esbuild')} */
function loadEsbuild() {
  if (!existsSync(library)) fail('the page\'s dependencies are missing: run "npm ci" in src/web first');
  try {
    return createRequire(join(web, 'package.json'))('esbuild');
  } catch (error) {
    fail(`esbuild does not start (${error.message}): run "npm ci" in src/web again`);
  }
}

/**
 * @param {typeof import('esbuild')} esbuild
 * @param {string} entry a file of src/web
 * @param {import('esbuild').BuildOptions} options
 * @returns {Buffer}
 */
function bundle(esbuild, entry, options) {
  try {
    const result = esbuild.buildSync({
      entryPoints: [join(web, entry)],
      absWorkingDir: web,
      bundle: true,
      minify: true,
      charset: 'utf8',
      legalComments: 'none', // LICENSES.txt has them all, the banner says so
      write: false,
      logLevel: 'warning',
      ...options,
    });
    return Buffer.from(result.outputFiles[0].contents);
  } catch {
    fail(`${entry} cannot be bundled`); // esbuild has said why
  }
}

/** A page without its indentation and comments. @param {string} name */
function bundleHtml(name) {
  const html = readFileSync(join(web, name), 'utf8');
  return Buffer.from(html.replace(/<!--[^]*?-->\n?/g, '').replace(/\n\s+/g, '\n'));
}

/** @returns {string} `1.7.0` */
function libraryVersion() {
  return JSON.parse(readFileSync(join(library, 'package.json'), 'utf8')).version;
}

/** @param {string} open @param {string} close */
function banner(open, close) {
  return `${open} wsproxy viewer page, MIT; contains noVNC ${libraryVersion()} (MPL-2.0, https://github.com/novnc/noVNC), ` +
    `pako and others: see LICENSES.txt ${close}`;
}

/** The notices of everything that is in app.js. */
function licences() {
  const read = (/** @type {string} */ path) => readFileSync(join(library, path), 'utf8').trim();
  const { version } = JSON.parse(read('package.json'));
  const des = read('core/crypto/des.js');
  const parts = [
    ['The viewer page of wsproxy: MIT', mit('the wsproxy authors')],
    [`noVNC ${version}: MPL-2.0`,
      `The viewer page contains the core library of noVNC ${version}, unmodified but bundled and minified.\n` +
      'Copyright (C) the noVNC authors. It is subject to the terms of the Mozilla Public License, v. 2.0\n' +
      '(below). Its source form is available from https://github.com/novnc/noVNC, tag ' +
      `v${version}, and as\nthe npm package @novnc/novnc ${version}.`],
    ['DES in noVNC (core/crypto/des.js)', des.slice(2, des.indexOf('*/')).replace(/^ \* ?/gm, '').trim()],
    ['pako in noVNC (vendor/pako): MIT', read('vendor/pako/LICENSE')],
    ['zlib, of which pako is a port: zlib licence', ZLIB],
    ['Mozilla Public License Version 2.0', read('docs/LICENSE.MPL-2.0')],
  ];
  const line = '='.repeat(80);
  return parts.map(([title, body]) => `${line}\n${title}\n${line}\n\n${body}\n`).join('\n');
}

/** @param {string} holder */
function mit(holder) {
  return `Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.`;
}

/** @param {Buffer} content @returns {Buffer} */
function gzip(content) {
  const packed = gzipSync(content, { level: 9 });
  packed.fill(0, 4, 8); // no time
  packed[9] = 255; // no operating system
  return packed;
}

/** @param {string} name `vnc.html` @returns {string} `vnc_html` */
function symbol(name) {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '_');
}

/** @param {string} out */
function assembler(out) {
  const lines = ['/* Made by scripts/bundle-page.mjs. */', '\t.section .rodata'];
  for (const name of Object.keys(TYPES)) {
    for (const [file, id] of [[name, symbol(name)], [`${name}.gz`, `${symbol(name)}_gz`]]) {
      const begin = `wsproxy_asset_${id}_begin`;
      const end = `wsproxy_asset_${id}_end`;
      const path = join(out, file).replace(/[\\"]/g, '\\$&');
      lines.push('\t.balign 16',
        `\t.globl ${begin}`, `\t.hidden ${begin}`, `\t.globl ${end}`, `\t.hidden ${end}`,
        `${begin}:`, `\t.incbin "${path}"`, `${end}:`, '\t.byte 0');
    }
  }
  lines.push('\t.section .note.GNU-stack,"",%progbits', '');
  return lines.join('\n');
}

/** @param {Record<string, Buffer>} contents */
function table(contents) {
  const lines = Object.entries(TYPES).map(([name, type]) => {
    const tag = createHash('sha256').update(contents[name]).digest('hex').slice(0, 16);
    return `WSPROXY_ASSET("/${name}", "${type}", ${symbol(name)}, "\\"${tag}\\"")\n`;
  });
  return lines.join('');
}

// The load generator of `make bench` counts what really went through, and notices what did not.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ratioChart } from '../bench/support/charts.mjs';
import { median } from '../bench/support/compare.mjs';
import { rows } from '../bench/support/rows.mjs';
import { comparisonTable, missed } from '../bench/support/table.mjs';
import { Proxy } from './support/proxy.mjs';
import { start, tempDir, until, within } from './support/scope.mjs';
import { makeCertificate } from './support/tls.mjs';

const program = fileURLToPath(new URL('../../build/release/bench_load', import.meta.url));
const skip = existsSync(program) ? false : `there is no ${path.relative('.', program)}`;

/** Runs a scenario against what `proxyFor` starts for a target's port: { port, pid }. */
async function runLoad(t, args, proxyFor) {
  const load = start(t, program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  await until('the target to listen', () => /^target \d+\n/.test(load.output), { last: () => load.output });
  const { port, pid } = await proxyFor(Number(/^target (\d+)/.exec(load.output)[1]));
  load.stdin.end(`${port} ${pid}\n`);
  const { code } = await within(20_000, () => `the load generator to end\n${load.output}`, load.exited);
  return { code, ...JSON.parse(load.output.split('\n')[1]) };
}

const short = ['warmup=0.05', 'seconds=0.1'];

for (const [scenario, unit, ...args] of [
  ['down', 'bytes'],
  ['up', 'bytes', 'frame=64'],
  ['vnc', 'updates_per_s'],
  ['small', 'echoes_per_s'],
  ['mixed', 'streams_mb_per_s', 'streams=2'],
  ['connect', 'sessions_per_s'],
]) {
  test(`${scenario}: every byte arrives and is counted`, { skip }, async (t) => {
    const figures = await runLoad(t, [scenario, ...short, ...args], (target) => Proxy.start(t, target));
    assert.deepEqual({ code: figures.code, ok: figures.ok, error: figures.error }, { code: 0, ok: true, error: undefined });
    assert.ok(figures[unit] > 0, JSON.stringify(figures));
  });
}

test('down over TLS, http: the same', { skip }, async (t) => {
  const { cert, key } = await makeCertificate(t);
  const folder = tempDir(t);
  mkdirSync(`${folder}/web`);
  writeFileSync(`${folder}/web/file.bin`, Buffer.alloc(100 * 1024, 'ab'));
  const args = [`--cert=${cert}`, `--key=${key}`, `--web=${folder}/web`];
  const tls = await runLoad(t, ['down', 'tls=1', ...short], (target) => Proxy.start(t, target, { args }));
  assert.ok(tls.ok && tls.bytes > 0, JSON.stringify(tls));
  const http = await runLoad(t, ['http', 'path=/file.bin', `file=${folder}/web/file.bin`, ...short], (target) => Proxy.start(t, target, { args }));
  assert.ok(http.ok && http.bytes > 0, JSON.stringify(http));
});

/** A relay of plain TCP that does something to what the target sends. */
async function relay(t, target, change) {
  const server = net.createServer((browser) => {
    const to = net.connect(target, '127.0.0.1');
    browser.on('error', () => to.destroy()).pipe(to);
    to.on('error', () => browser.destroy()).on('data', (bytes) => browser.write(change(bytes)));
  });
  t.after(() => server.close());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, pid: process.pid };
}

test('a byte that is changed, doubled or left out fails the run', { skip }, async (t) => {
  let count = 0;
  const spoil = {
    changed: (bytes) => {
      bytes[bytes.length >> 1] ^= 1;
      return bytes;
    },
    doubled: (bytes) => Buffer.concat([bytes, bytes.subarray(-1)]),
    'left out': (bytes) => (count++ ? bytes : bytes.subarray(1)),
  };
  const run = (change) => runLoad(t, ['down', 'raw=1', ...short], (target) => relay(t, target, change));
  assert.equal((await run((bytes) => bytes)).ok, true);
  for (const [name, change] of Object.entries(spoil)) {
    const { code, ok, error } = await run(change);
    assert.deepEqual({ code, ok, error }, { code: 1, ok: false, error: 'browser 0: wrong bytes' }, name);
  }
});

test('the table says which goals are missed, by the median; the chart is XML for both colour schemes', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1]), 2.5);
  const row = rows.find(({ name }) => name === 'down');
  const peer = (name, goal, ratio) => ({ name, goal, ratio, low: ratio, high: ratio, figures: [1], ratios: [ratio] });
  const idle = rows.find(({ name }) => name === 'idle2k');
  const results = [
    { row, ours: [0.3], peers: [peer('floor', 1.0, 0.99), peer('websockify', 1.3, 1.3), peer('haproxy-tcp', null, 0.5)] },
    { row: idle, ours: [1025], peers: [] },
    { row: rows.find(({ name }) => name === 'http'), ours: [], failed: 'wrong bytes', peers: [] },
  ];
  const lines = comparisonTable(results).split('\n').slice(2);
  assert.deepEqual(lines.map((line) => line.split('|').at(-2).trim()), [
    '**missed** (at least 1)', 'reached', '', '**missed** (at most 1)', '**failed**: wrong bytes',
  ]);
  assert.equal(missed(results).length, 3);
  const chart = ratioChart(results);
  assert.match(chart, /^<svg [^]*prefers-color-scheme: dark[^]*<\/svg>\n$/);
  assert.equal(chart.match(/<circle/g).length, 3 + 3); // dots and the legend's
});

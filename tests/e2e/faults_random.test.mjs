// Everything at once: clients good and bad, targets of all kinds, signals, reloads, helpers that are killed; a minute of
// it for a build with a sanitizer, some seconds for any other. What each actor does follows from the seed, which is in
// the test's name:
//
//   SEED=4711 FAULT_SECONDS=20 WSPROXY=../../build/asan/wsproxy node --test faults_random.test.mjs
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { children, descriptors, runs } from './support/processes.mjs';
import { Proxy, binary, sanitized } from './support/proxy.mjs';
import { randomOf } from './support/random.mjs';
import { behave, randomClient } from './support/random_clients.mjs';
import { tempDir, until } from './support/scope.mjs';
import { refusedPort, startNeverAnswers, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { Op, WebSocketClient, frame } from './support/websocket.mjs';

const seed = Number(process.env.SEED ?? randomInt(1e9));
const seconds = Number(process.env.FAULT_SECONDS ?? (sanitized ? 60 : 5));
const actors = 12;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- the operator

async function operator(random, proxy, { configure, targets, logs, goesOn, lastWriter }) {
  const helpers = (name) => children(proxy.pid).filter((child) => child.name === name);
  const each = async (pids, first, then) => {
    for (const { pid } of pids) if (runs(pid)) process.kill(pid, first);
    await sleep(random.below(200));
    for (const { pid } of pids) if (then && runs(pid)) process.kill(pid, then);
  };
  while (goesOn()) {
    await sleep(100 + random.below(500));
    switch (random.weighted({ reload: 6, broken: 1, rotate: 2, list: 2, lookup: 1, writer: 0.5, pause: 1, hang: 1, stray: 1 })) {
      case 'reload':
        configure(random.pick([...targets, targets[0], targets[0]]), [`max-sessions = ${random.pick([0, 0, 3])}`, `heartbeat = ${random.pick([0, 1, 30])}`, `log-level = ${random.pick(['info', 'debug', 'error'])}`]);
        proxy.child.kill('SIGHUP');
        break;
      case 'broken':
        configure(targets[0], ['heartbeat = often']);
        proxy.child.kill('SIGHUP');
        break;
      case 'rotate':
        for (const log of logs) if (existsSync(log)) renameSync(log, `${log}.1`);
        proxy.child.kill('SIGUSR1');
        break;
      case 'list':
        proxy.child.kill('SIGQUIT');
        break;
      case 'lookup':
        await each(helpers('wsproxy-lookup'), 'SIGKILL');
        break;
      case 'writer':
        if (Date.now() < lastWriter) await each(helpers('wsproxy-log').slice(0, 1), 'SIGKILL');
        break;
      case 'pause':
        await each([{ pid: proxy.pid }], 'SIGSTOP', 'SIGCONT');
        break;
      case 'hang':
        await each(children(proxy.pid), 'SIGSTOP', 'SIGCONT');
        break;
      case 'stray':
        for (const { pid } of [{ pid: proxy.pid }, ...children(proxy.pid)]) process.kill(pid, random.pick(['SIGCHLD', 'SIGPIPE', 'SIGWINCH', 'SIGURG']));
        break;
    }
  }
}

/** Whether the answer to SIGQUIT is like `pattern`. It may be lost, when we are slow to read. */
async function asksFor(proxy, pattern) {
  const from = proxy.log.length;
  proxy.child.kill('SIGQUIT');
  const answer = () => /SIGQUIT: .*\n/.exec(proxy.log.slice(from))?.[0];
  return pattern.test(await until('the answer to SIGQUIT', answer, { timeout: 1000 }).catch(() => ''));
}

test(`${seconds} s of random faults leave nothing behind (SEED=${seed})`, { timeout: (seconds + 120) * 1000 }, async (t) => {
  const folder = tempDir(t);
  const { cert, key } = await makeCertificate(t);
  const server = await startServer(t, behave);
  const targets = [`127.0.0.1:${server.port}`, `localhost:${server.port}`, `127.0.0.1:${await refusedPort()}`, `127.0.0.1:${(await startNeverAnswers(t)).port}`, 'unix:/nonexistent/rfb', 'no-such-host.invalid:1'];
  const [conf, log, access, reports] = ['conf', 'log', 'access', 'reports'].map((name) => path.join(folder, name));
  mkdirSync(reports);
  const fixed = ['listen = 127.0.0.1:0', `cert = ${cert}`, `key = ${key}`, `log-file = ${log}`, `access-log = ${access}`, 'handshake-timeout = 2', 'connect-timeout = 1', 'lookup-timeout = 1', 'drain-timeout = 1', 'send-timeout = 1'];
  const configure = (target, more = []) => writeFileSync(conf, [...fixed, `target = ${target}`, ...more, ''].join('\n'));
  configure(targets[0]);
  // Helpers have no standard error: a report of theirs is a file.
  const env = Object.fromEntries(['ASAN', 'UBSAN', 'TSAN', 'LSAN'].map((name) => [`${name}_OPTIONS`, `${process.env[`${name}_OPTIONS`] ?? ''}:log_path=${path.join(reports, name)}:print_stacktrace=1`]));
  // ThreadSanitizer's memory has its place, which random addresses may take
  const under = readFileSync(binary).includes('__tsan_init') ? ['setarch', '-R'] : [];
  const proxy = await Proxy.start(t, '', { argv: ['--config', conf], env, under });
  const reported = () => readdirSync(reports).map((name) => readFileSync(path.join(reports, name), 'utf8')).join('\n');

  const works = async () => {
    const client = await WebSocketClient.open(t, { port: proxy.port, first: frame(Op.binary, 'e') });
    await client.send('there and back');
    assert.equal(String(await client.bytes(14)), 'there and back');
    await client.finish();
    client.socket.destroy();
  };
  const state = () => `${descriptors(proxy.pid)} descriptors, children ${children(proxy.pid).map(({ name }) => name).sort()}`;
  const empty = () =>
    until('no connection to be left', () => asksFor(proxy, /SIGQUIT: 0 sessions, 0 connections/), { timeout: 15_000, last: () => proxy.log.split('\n').slice(-15).join('\n') });
  await works();
  await empty();
  const before = state();

  const end = Date.now() + seconds * 1000;
  const wrong = [];
  const goesOn = () => Date.now() < end && !proxy.ended && wrong.length === 0;
  await Promise.all([
    ...Array.from({ length: actors }, (_, i) => randomClient(randomOf(seed, `client ${i}`), proxy.port, goesOn, wrong)),
    // a writer of logs that has died is replaced after 10 s
    operator(randomOf(seed, 'operator'), proxy, { configure, targets, logs: [log, access], goesOn, lastWriter: end - 15_000 }),
  ]);

  assert.deepEqual(wrong, []);
  assert.ok(!proxy.ended, `it ended:\n${proxy.log.split('\n').slice(-20).join('\n')}\n${reported()}`);
  configure(targets[0]);
  proxy.child.kill('SIGHUP');
  await empty();
  await works();
  await until(`as before: ${before}`, () => state() === before, { last: state, timeout: 15_000 });
  await proxy.stop();
  assert.equal(reported(), '');
});

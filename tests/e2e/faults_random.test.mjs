// Everything at once: clients good and bad, targets of all kinds, signals, reloads, helpers that are killed; a minute of
// it for a build with a sanitizer, some seconds for any other. What each actor does follows from the seed, which is in
// the test's name:
//
//   SEED=4711 FAULT_SECONDS=20 WSPROXY=../../build/asan/wsproxy node --test faults_random.test.mjs
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { children, descriptors, runs } from './support/processes.mjs';
import { Proxy, binary, sanitized } from './support/proxy.mjs';
import { randomOf } from './support/random.mjs';
import { tempDir, until } from './support/scope.mjs';
import { refusedPort, startNeverAnswers, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { Op, WebSocketClient, closePayload, frame, upgradeRequest } from './support/websocket.mjs';

const seed = Number(process.env.SEED ?? randomInt(1e9));
const seconds = Number(process.env.FAULT_SECONDS ?? (sanitized ? 60 : 5));
const actors = 12;
const kMostMs = 2500; // an actor stays with one connection for no longer

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const noise = randomOf(seed, 'noise').bytes(1 << 20);

/** Node.js (18, 20) never closes what is reset while its end is still on the way, and spins at its exit. */
function reset(socket) {
  if (!socket.destroyed && !socket.connecting && !socket.writableEnded) socket.resetAndDestroy();
}

// ---- targets: the first byte says how one behaves

const behaviours = {
  e: (socket) => socket.pipe(socket), // echoes
  r: reset,
  s: (socket) => socket.resume().end(noise.subarray(0, 100_000)), // says all and ends
  n: (socket) => socket.pause(), // never reads again
  h: (socket) => socket.end().resume(), // ends its side, and listens on
  f: (socket) => {
    // floods for as long as it is taken
    socket.resume();
    const pour = () => {
      while (socket.writable && socket.write(noise) === true);
    };
    socket.on('drain', pour);
    pour();
  },
  b: (socket) => {
    // a byte at a time
    socket.on('data', () => {});
    let sent = 0;
    const timer = setInterval(() => (socket.writable ? socket.write(noise.subarray(sent, ++sent)) : clearInterval(timer)), 3);
  },
};

function behave(socket) {
  socket.once('data', (bytes) => {
    socket.pause();
    if (bytes.length > 1) socket.unshift(bytes.subarray(1));
    (behaviours[String.fromCharCode(bytes[0])] ?? behaviours.e)(socket);
  });
  socket.on('end', () => socket.end());
  socket.resume();
}

// ---- clients

/** A connection that lasts until `close`, or kMostMs. */
async function open(random, port) {
  const raw = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const socket = random.chance(0.3) ? tls.connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' }) : raw;
  for (const each of [raw, socket]) each.on('error', () => {});
  const timer = setTimeout(() => raw.destroy(), kMostMs);
  await Promise.race([sleep(kMostMs), new Promise((resolve) => socket.once(socket === raw ? 'connect' : 'secureConnect', resolve).once('close', resolve))]);
  return {
    socket,
    /** Ends in one of the ways there are. */
    async close() {
      if (random.chance(0.4)) {
        socket.end();
        socket.resume();
        await Promise.race([sleep(random.below(300)), new Promise((resolve) => raw.once('close', resolve))]);
      }
      clearTimeout(timer);
      if (random.chance(0.5) && !socket.writableEnded) reset(raw);
      socket.destroy();
      raw.destroy();
    },
  };
}

/** Bytes in one piece or in several. */
async function writeChopped(random, socket, bytes) {
  const pieces = random.chance(0.7) ? 1 : 1 + random.below(5);
  for (let i = 0, at = 0; i < pieces && !socket.destroyed; i++) {
    const end = i === pieces - 1 ? bytes.length : Math.min(bytes.length, at + random.below(bytes.length + 1));
    socket.write(bytes.subarray(at, end));
    at = end;
    if (pieces > 1) await sleep(random.below(5));
  }
}

const violations = {
  unmasked: () => frame(Op.binary, 'x', { masked: false }),
  reserved: () => frame(Op.binary, 'x', { rsv: 4 }),
  opcode: () => frame(5, 'x'),
  split: () => frame(Op.ping, 'x', { fin: false }),
  long: () => frame(Op.ping, Buffer.alloc(126)),
  continued: () => frame(Op.continuation, 'x'),
  endless: () => Buffer.from('82ffffffffffffffffff00000000', 'hex'),
  code: () => frame(Op.close, closePayload(1005)),
  text: () => frame(Op.close, Buffer.from([3, 232, 0xff, 0xfe])),
  noise: (random) => Buffer.concat([Buffer.from([0x70]), random.bytes(64)]),
};

/** What the session gets has to be frames, and from an echo what was sent, in order. */
async function listen(client, sent, echoes, wrong) {
  let received = 0;
  try {
    for (;;) {
      const { opcode, payload } = await client.frame();
      if (opcode === Op.close) return;
      if (opcode > Op.binary || !echoes) continue;
      const expected = Buffer.concat(sent).subarray(received, received + payload.length);
      if (!payload.equals(expected)) wrong.push(`an echo is not what was sent, at ${received} of ${payload.length} bytes`);
      received += payload.length;
    }
  } catch (error) {
    if (/the server (masked|set)/.test(error.message)) wrong.push(error.message);
  }
}

const connections = {
  async session(random, { socket }, port, wrong) {
    const behaviour = random.weighted({ e: 8, r: 1, s: 2, n: 1, h: 1, f: 2, b: 1 });
    const client = new WebSocketClient(socket, { timeout: kMostMs });
    const upgrading = client.upgrade({ port, first: frame(Op.binary, behaviour), protocols: random.pick([undefined, 'binary']) });
    if (!(await upgrading.then(() => true, () => false))) return;
    const sent = [];
    const listening = listen(client, sent, behaviour === 'e', wrong);
    for (let steps = random.below(15); steps > 0 && !socket.destroyed; steps--) {
      const step = random.weighted({ data: 8, fragments: 2, ping: 3, pong: 1, stall: 1, wait: 3, violation: 0.5, cut: 0.3 });
      if (step === 'data' || step === 'fragments') {
        const from = random.below(noise.length >> 1);
        const payload = noise.subarray(from, from + random.size());
        sent.push(payload);
        const half = step === 'fragments' ? random.below(payload.length + 1) : payload.length;
        await writeChopped(random, socket, frame(Op.binary, payload.subarray(0, half), { fin: step === 'data' }));
        if (step === 'fragments') {
          if (random.chance(0.5)) socket.write(frame(Op.ping, 'between'));
          await writeChopped(random, socket, frame(Op.continuation, payload.subarray(half)));
        }
      } else if (step === 'ping' || step === 'pong') {
        socket.write(frame(Op[step], random.bytes(random.below(126))));
      } else if (step === 'stall') {
        socket.pause();
        await sleep(random.below(400));
      } else if (step === 'wait') {
        await sleep(random.below(40));
      } else if (step === 'violation') {
        socket.write(violations[random.pick(Object.keys(violations))](random));
        break;
      } else {
        sent.push(noise.subarray(0, 1000));
        socket.write(frame(Op.binary, noise.subarray(0, 1000)).subarray(0, random.below(1008)));
        return; // in the middle of a frame
      }
    }
    if (random.chance(0.6)) {
      socket.write(frame(Op.close, random.pick([Buffer.alloc(0), closePayload(1000), closePayload(1001, 'leaving'), closePayload(4711)])));
      await Promise.race([listening, sleep(random.below(500))]);
    }
  },
  async page(random, { socket }) {
    socket.resume();
    for (let i = 1 + random.below(3); i > 0; i--) {
      const target = random.pick(['/', '/vnc.html', '/none', '/app.js', '/..%2f', `/?${'x'.repeat(random.below(9000))}`]);
      await writeChopped(random, socket, Buffer.from(`${random.pick(['GET', 'HEAD', 'POST', 'BREW'])} ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
      await sleep(random.below(30));
    }
  },
  async half(random, { socket }) {
    const head = Buffer.from(upgradeRequest({ headers: { 'X-Long': 'y'.repeat(random.below(3000)) } }));
    socket.write(head.subarray(0, random.below(head.length)));
    await sleep(random.chance(0.1) ? 2200 : random.below(100)); // some stay for longer than they may
  },
  async noise(random, { socket }) {
    socket.resume();
    socket.write(Buffer.concat([Buffer.from(random.pick(['', '\x16\x03\x01', 'GET ', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']), 'latin1'), random.bytes(random.below(2000))]));
    await sleep(random.below(50));
  },
  async nothing(random) {
    await sleep(random.below(50));
  },
};

async function client(random, port, goesOn, wrong) {
  while (goesOn()) {
    const kind = random.weighted({ session: 6, page: 2, half: 1, noise: 1, nothing: 1 });
    const connection = await open(random, port);
    await connections[kind](random, connection, port, wrong);
    await connection.close();
    await sleep(random.below(60));
  }
}

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
    ...Array.from({ length: actors }, (_, i) => client(randomOf(seed, `client ${i}`), proxy.port, goesOn, wrong)),
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

// Limits: how much a stranger gets of connections, sessions, frames and time, and what he is told when it is used up; what
// happens when descriptors are. A client is an address of this machine's own network, 127.0.0.2 and so on.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { HttpClient, get } from './support/http.mjs';
import { Proxy, runToEnd, sanitized } from './support/proxy.mjs';
import { scopeOf, tempDir, until, within } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { Op, WebSocketClient, connect, frame, parseHead, upgradeRequest } from './support/websocket.mjs';

/** A proxy with limits, and what clients do with it. */
async function limited(t, args, options = {}) {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args, ...options });
  return Object.assign(proxy, {
    page: (from = '127.0.0.2') => get(t, proxy.port, '/', {}, { localAddress: from }),
    halfOpen: (from = '127.0.0.2') => connect(t, { port: proxy.port, localAddress: from }),
    session: (from = '127.0.0.2') => WebSocketClient.open(t, { port: proxy.port, localAddress: from }),
    async upgradeStatus(from = '127.0.0.2') {
      const client = await HttpClient.open(t, { port: proxy.port, localAddress: from });
      const answer = await client.raw(Buffer.from(upgradeRequest({ port: proxy.port })));
      client.socket.destroy();
      return answer;
    },
  });
}

function assertComeAgain(answer, status) {
  assert.equal(answer.status, status, answer.raw);
  assert.match(answer.headers['retry-after'], /^\d+$/);
  assert.equal(answer.headers.connection, 'close');
}

async function echoes(client, words = 'there and back') {
  await client.send(Buffer.from(words));
  assert.equal(String(await client.bytes(Buffer.byteLength(words))), words);
}

/** Processor time that a process has used, in milliseconds. */
function cpu(pid) {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13).map(Number);
  return (user + system) * 10;
}

test('a client that connects too often is told so with 429, the others are not, and a second later it may again', async (t) => {
  const proxy = await limited(t, ['--max-rate=5']);
  const answers = await Promise.all(Array.from({ length: 20 }, () => proxy.page()));
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.length >= 10 && refused.length <= 15, `${refused.length} of 20 refused`);
  for (const answer of refused) assertComeAgain(answer, 429);
  assert.equal((await proxy.page('127.0.0.3')).status, 200);
  await until('it may connect again', async () => (await proxy.page()).status === 200, { timeout: 3000, every: 200 });
  await proxy.logged(/refused: 429 too many new connections from this address; see --max-rate/);
});

test('clients on this machine, who may be a reverse proxy, have no limits by default', async (t) => {
  const proxy = await limited(t, []);
  const sockets = await Promise.all(Array.from({ length: 600 }, () => proxy.halfOpen('127.0.0.1')));
  assert.equal((await proxy.page('127.0.0.1')).status, 200);
  for (const socket of sockets) socket.destroy();
});

test('a client with too many connections that are no WebSocket gets 429 until one of them ends', async (t) => {
  const proxy = await limited(t, ['--max-pending-per-address=3']);
  const live = await proxy.session();
  const [first] = await Promise.all([proxy.halfOpen(), proxy.halfOpen(), proxy.halfOpen()]);
  await until('the fourth to be one too many', async () => (await proxy.page()).status === 429);
  assertComeAgain(await proxy.page(), 429);
  assert.equal((await proxy.page('127.0.0.3')).status, 200);
  await echoes(live);
  first.destroy();
  await until('one to be free again', async () => (await proxy.page()).status === 200);
});

test('connections that are no WebSocket are dropped at random from a number on, and all from another on', async (t) => {
  const proxy = await limited(t, ['--max-pending=4:50:1000']);
  const live = await proxy.session();
  for (let i = 0; i < 4; ++i) await proxy.halfOpen(`127.0.0.${10 + i}`);
  const statuses = [];
  for (let i = 0; i < 60; ++i) statuses.push((await proxy.page()).status);
  const refused = statuses.filter((status) => status === 503).length;
  assert.ok(refused > 8 && refused < 52, `half of 60 and not ${refused}`);
  assert.equal(statuses.length - refused, statuses.filter((status) => status === 200).length);
  await echoes(live);

  const full = await limited(t, ['--max-pending=2']);
  const [first] = await Promise.all([full.halfOpen('127.0.0.3'), full.halfOpen('127.0.0.4')]);
  await until('the third to be one too many', async () => (await full.page()).status === 503);
  assertComeAgain(await full.page(), 503);
  first.destroy();
  await until('one to be free again', async () => (await full.page()).status === 200);
});

test('--max-pending that is no START:RATE:FULL is refused at the start', async (t) => {
  for (const value of ['x', '', '1:2', '1:2:3:4', '5:30:5', '5:101:10', '5:30:10:', '-1', '1:-2:3', '10000000']) {
    const { code, stderr } = await runToEnd(t, [`--max-pending=${value}`, '127.0.0.1:0', '127.0.0.1:1']);
    assert.equal(code, 2, `${value}: ${stderr}`);
    assert.match(stderr, /--max-pending/);
  }
});

test('a client, and a target, have so many sessions', async (t) => {
  const proxy = await limited(t, ['--max-sessions-per-address=2', '--max-sessions-per-target=3']);
  const first = await proxy.session();
  await proxy.session();
  assertComeAgain(await proxy.upgradeStatus(), 429);
  assert.equal((await proxy.page()).status, 200, 'a page is no session');
  await proxy.session('127.0.0.3');
  assertComeAgain(await proxy.upgradeStatus('127.0.0.3'), 503);
  await echoes(first);
  first.socket.destroy();
  await until('a place', async () => (await proxy.upgradeStatus('127.0.0.4')).status === 101);
});

test('over TLS a limit is told as well', async (t) => {
  const certificate = await makeCertificate(t);
  const proxy = await limited(t, ['--max-rate=1', `--cert=${certificate.cert}`, `--key=${certificate.key}`]);
  const statuses = await Promise.all(
    Array.from({ length: 3 }, async () => (await get(t, proxy.port, '/', {}, { secure: true, localAddress: '127.0.0.2' })).status),
  );
  assert.deepEqual(statuses.sort(), [200, 429, 429]);
});

test('who is over a limit in large numbers is closed at once, counted, and the log stays short', async (t) => {
  const proxy = await limited(t, ['--max-pending=1']);
  await proxy.halfOpen('127.0.0.3');
  await until('it to be full', async () => (await proxy.page()).status === 503);
  let ended = 0;
  for (let i = 0; i < 600; ++i) {
    const socket = await proxy.halfOpen(`127.0.1.${i % 250}`);
    socket.on('error', () => (ended += 1)).on('end', () => (ended += 1)).resume();
  }
  await until('most of them to be closed', () => ended >= 200, { last: () => ended });
  proxy.child.kill('SIGQUIT');
  const [line] = await proxy.logged(/SIGQUIT: .* over a limit since the start/);
  assert.ok(Number(/(\d+) connections over a limit/.exec(line)[1]) >= 600, line);
  const lines = proxy.log.split('\n').filter((text) => /turned away|refused/.test(text));
  assert.ok(lines.length <= 100, `${lines.length} lines for 600 strangers`);
});

test('a request, or a TLS hello, that comes byte by byte has --handshake-timeout in all', async (t) => {
  const certificate = await makeCertificate(t);
  const proxy = await limited(t, ['--handshake-timeout=2', `--cert=${certificate.cert}`, `--key=${certificate.key}`]);
  const drip = (socket, bytes) => {
    let at = 0;
    const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 50);
    socket.on('close', () => clearInterval(timer)).on('error', () => {});
    scopeOf(t).add(() => clearInterval(timer));
  };
  const endOf = async (socket) => {
    const began = Date.now();
    let text = '';
    socket.on('data', (bytes) => (text += bytes.toString('latin1'))).on('error', () => {});
    await within(6000, 'the end', new Promise((resolve) => socket.on('close', resolve).on('end', () => socket.end())));
    return { text, ms: Date.now() - began };
  };
  const plain = await proxy.halfOpen();
  drip(plain, Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(500)}`));
  const hello = await proxy.halfOpen();
  drip(hello, Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(501, 1)]));
  const sealed = tls.connect({ socket: await proxy.halfOpen(), rejectUnauthorized: false });
  drip(sealed, Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'x'.repeat(500)}`));
  const silent = await proxy.halfOpen();
  const [ofPlain, ofHello, ofSealed, ofSilent] = await Promise.all([plain, hello, sealed, silent].map(endOf));
  assert.equal(parseHead(ofPlain.text).status, 408);
  assert.equal(parseHead(ofSealed.text).status, 408);
  for (const { ms } of [ofPlain, ofHello, ofSealed, ofSilent]) assert.ok(ms < 5000, `${ms} ms`);
});

test('heads have --max-header-bytes and --max-headers', async (t) => {
  const proxy = await limited(t, ['--max-header-bytes=1024', '--max-headers=10']);
  const fields = (count, size) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`A${i}`, 'x'.repeat(size)]));
  assert.equal((await get(t, proxy.port, '/', fields(9, 80))).status, 200);
  assert.equal((await get(t, proxy.port, '/', fields(10, 1))).status, 431);
  assert.equal((await get(t, proxy.port, '/', fields(1, 1000))).status, 431);
});

test('a flood of pings ends with Close 1008, some of them do not', async (t) => {
  const proxy = await limited(t, ['--max-control-frames=50']);
  const client = await proxy.session();
  await client.write(Buffer.concat(Array.from({ length: 10 }, () => frame(Op.ping, Buffer.from('x')))));
  await echoes(client);
  await client.write(Buffer.concat(Array.from({ length: 1000 }, () => frame(Op.pong))));
  assert.equal((await client.closed()).code, 1008);
  await proxy.logged(/closed reason="too many control frames" code=1008/);
});

test('a session that relays nothing, or is too old, ends with Close 1000', async (t) => {
  const idle = await limited(t, ['--session-idle-timeout=1', '--heartbeat=0']);
  const old = await limited(t, ['--session-max-duration=1']);
  const [quiet, busy] = await Promise.all([idle.session(), old.session()]);
  const timer = setInterval(() => busy.send(Buffer.from('x')).catch(() => {}), 50);
  scopeOf(t).add(() => clearInterval(timer));
  const [first, second] = await Promise.all([quiet.closed(), busy.closed()]);
  assert.deepEqual([first.code, first.reason], [1000, 'nothing was sent for too long']);
  assert.deepEqual([second.code, second.reason], [1000, "the session's time is up"]);
});

test('a reload changes the limits for who comes then', async (t) => {
  const file = path.join(tempDir(t), 'wsproxy.conf');
  const echo = await startEcho(t);
  const configure = (most) => writeFileSync(file, `listen = 127.0.0.1:0\ntarget = 127.0.0.1:${echo.port}\nmax-sessions-per-address = ${most}\n`);
  configure(1);
  const proxy = await Proxy.start(t, echo.port, { argv: ['--config', file] });
  const status = async () => {
    const client = await HttpClient.open(t, { port: proxy.port });
    return (await client.raw(Buffer.from(upgradeRequest({ port: proxy.port })))).status;
  };
  assert.equal(await status(), 101);
  assert.equal(await status(), 429);
  configure(2);
  proxy.child.kill('SIGHUP');
  await proxy.logged(/reloaded: changed for new sessions: max-sessions-per-address/);
  assert.equal(await status(), 101);
  assert.equal(await status(), 429);
});

test('out of descriptors it takes no processor time, harms no session, and accepts again within a second', async (t) => {
  const proxy = await limited(t, ['--max-pending=0', '--max-sessions=10', '--handshake-timeout=60'], { under: ['prlimit', '--nofile=120:120'] });
  const live = await proxy.session();
  const sockets = await Promise.all(Array.from({ length: 200 }, () => proxy.halfOpen('127.0.0.1')));
  await proxy.logged(/cannot accept connections: too many open files/);
  const before = cpu(proxy.pid);
  const began = Date.now();
  while (Date.now() - began < 2000) {
    const sent = Date.now();
    await echoes(live);
    assert.ok(Date.now() - sent < 1000, `an echo after ${Date.now() - sent} ms`);
    await until('a moment to pass', () => Date.now() - sent > 100);
  }
  const used = (cpu(proxy.pid) - before) / (Date.now() - began);
  if (!sanitized) assert.ok(used <= 0.05, `${(used * 100).toFixed(1)} % of a processor`);
  for (const socket of sockets) socket.destroy();
  const freed = Date.now();
  assert.equal((await within(5000, 'a page', proxy.page('127.0.0.1'))).status, 200);
  assert.ok(sanitized || Date.now() - freed < 1000, `${Date.now() - freed} ms`);
  await echoes(live);
  const lines = proxy.log.split('\n').filter((text) => /cannot accept/.test(text));
  assert.ok(lines.length <= 2, `${lines.length} lines about it`);
});

test('where descriptors are few, half-open connections leave some of them for sessions', async (t) => {
  const proxy = await limited(t, ['--max-sessions=10'], { under: ['prlimit', '--nofile=120:120'] });
  for (let i = 0; i < 200; ++i) (await proxy.halfOpen(`127.0.1.${i}`)).on('error', () => {}).resume();
  await until('an answer', async () => [200, 503].includes((await proxy.page().catch(() => ({}))).status));
  await until('a session, by chance', async () => (await proxy.upgradeStatus().catch(() => ({}))).status === 101);
  assert.doesNotMatch(proxy.log, /cannot accept/);
  assert.ok(sanitized || proxy.rss() < 64 * 1024, `${proxy.rss() / 1024} MiB`);
});

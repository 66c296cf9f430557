// `wsproxy PORT -- CMD`: a program that listens behind the proxy, and what its end means.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { binary, Proxy, runToEnd, sanitized } from './support/proxy.mjs';
import { handshake } from './support/rfb.mjs';
import { refusedPort } from './support/servers.mjs';
import { start, tempDir, until, within } from './support/scope.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const wrapped = (t, command, { args = [], listen } = {}) =>
  Proxy.start(t, undefined, { argv: [...args, listen ?? '127.0.0.1:0', '--', ...command] });

/** Alive, and not just unburied. */
function alive(pid) {
  try {
    return !/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A server in JavaScript. It says hello with its process id, then sends back what it gets; `at` is what it listens on. */
const program = (at, { delay = 0 } = {}) => [
  process.execPath,
  '-e',
  `setTimeout(() => require('net').createServer((socket) => {
    socket.on('error', () => {});
    socket.write('hello ' + process.pid + '\\n');
    socket.on('data', (data) => String(data) === 'exit' ? process.exit(5) : socket.write(data));
  }).listen({ port: Number(process.env.REBIND_OLD_PORT), ...${JSON.stringify(at)} }), ${delay})`,
];

async function hello(client) {
  let text = '';
  while (!text.endsWith('\n')) text += await client.data();
  const [, pid] = /^hello (\d+)\n$/.exec(text) ?? [];
  assert.ok(pid, text);
  return Number(pid);
}

async function connects(port, host) {
  const socket = net.connect({ port, host });
  const outcome = await once(socket, 'connect').then(() => true, () => false);
  socket.destroy();
  return outcome;
}

for (const [name, at] of [
  ['IPv4', { host: '0.0.0.0' }],
  ['both families', { host: '::' }],
  ['IPv6 alone', { host: '::', ipv6Only: true }],
  ['the IPv6 loopback', { host: '::1' }],
]) {
  test(`a program that listens on ${name} is reached, though it takes a moment`, async (t) => {
    const proxy = await wrapped(t, program(at, { delay: 300 }));
    const client = await WebSocketClient.open(t, { port: proxy.port });
    await hello(client);
    await client.send('echo');
    assert.equal(String(await client.data()), 'echo');
  });
}

test('the program\'s own port is on the loopback interface only', async (t) => {
  const proxy = await wrapped(t, program({ host: '0.0.0.0' }));
  await hello(await WebSocketClient.open(t, { port: proxy.port }));
  const inside = Number(/-> 127\.0\.0\.1:(\d+)$/m.exec(proxy.stdout)[1]);
  assert.ok(await connects(inside, '127.0.0.1'));
  assert.ok(!(await connects(inside, '127.0.0.2')));
});

test('TigerVNC with the very port that wsproxy listens on', async (t) => {
  const port = await refusedPort();
  const proxy = await wrapped(
    t,
    // it closes the descriptor that it has told its display
    ['/bin/sh', '-c', 'exec "$0" "$@" 3>&2', 'Xtigervnc', '-rfbport', String(port), '-displayfd', '3', '-localhost', '-geometry', '640x480', '-depth', '24', '-SecurityTypes', 'None', '-AlwaysShared', '-UseBlacklist=0', '-ac', '-noreset', '-nolisten', 'tcp'],
    { listen: `127.0.0.1:${port}` },
  );
  const client = await WebSocketClient.open(t, { port, timeout: 15_000 });
  const server = await handshake(client);
  assert.deepEqual([server.width, server.height], [640, 480]);
  const [, pid] = /started \/bin\/sh, pid (\d+)/.exec(proxy.log);
  await proxy.stop();
  await until('the end of Xtigervnc', () => !alive(pid));
});

test('exit: its status becomes ours, and sessions are told with 1001', async (t) => {
  const child = start(t, binary, ['127.0.0.1:0', '--', ...program({ host: '127.0.0.1' })]);
  const port = Number(await until('ready line', () => /ready: [^ ]*:(\d+) /.exec(child.output)?.[1], { last: () => child.output }));
  const client = await WebSocketClient.open(t, { port });
  const other = await WebSocketClient.open(t, { port });
  await hello(client);
  await hello(other);
  await client.send('exit');
  const { code } = await within(5000, 'Close', other.closed());
  assert.ok([1000, 1001].includes(code), `code ${code}`);
  client.socket.destroy();
  other.socket.destroy();
  assert.deepEqual(await within(5000, 'the exit', child.exited), { code: 5, signal: null });
  assert.match(child.output, /ended with status 5/);
});

test('exit: a status of 0, another one, and a signal', async (t) => {
  for (const [script, expected] of [['exit 0', 0], ['exit 3', 3], ['kill -KILL $$', 137]]) {
    const { code } = await runToEnd(t, ['127.0.0.1:0', '--', '/bin/sh', '-c', script]);
    assert.equal(code, expected, script);
  }
});

test('a program that cannot be run: exit 1 and the reason, and no ready line', async (t) => {
  const { code, stdout, stderr } = await runToEnd(t, ['127.0.0.1:0', '--', '/no/such/program']);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /cannot run \/no\/such\/program: no such file or directory/);
});

test('ignore: serving goes on, and the page\'s WebSocket is told what is wrong', async (t) => {
  const proxy = await wrapped(t, ['/bin/sh', '-c', 'exit 3'], { args: ['--wrap-mode=ignore'] });
  await proxy.logged(/ended with status 3; serving goes on/);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const { code, reason } = await client.closed();
  assert.equal(code, 1011);
  assert.match(reason, /connection refused/);
});

test('ignore: what a program leaves in the background is reached, and ended with us', async (t) => {
  const [node, ...rest] = program({ host: '127.0.0.1' });
  const proxy = await wrapped(t, ['/bin/sh', '-c', '"$0" "$@" &', node, ...rest], { args: ['--wrap-mode=ignore'] });
  await proxy.logged(/serving goes on/);
  let pid;
  await until('the program behind', async () => {
    const client = await WebSocketClient.open(t, { port: proxy.port });
    pid = await hello(client).catch(() => undefined);
    return pid;
  });
  await proxy.stop();
  await until('its end', () => !alive(pid));
});

test('respawn: it is started again, on the same port', async (t) => {
  const proxy = await wrapped(t, program({ host: '127.0.0.1' }), { args: ['--wrap-mode=respawn'] });
  const pids = new Set();
  for (let i = 0; i < 3; i++) {
    const client = await WebSocketClient.open(t, { port: proxy.port, timeout: 15_000 });
    pids.add(await hello(client));
    await client.send('exit');
    await client.closed();
    // until then the kernel may still take connections for it
    await proxy.logged(/ended with status 5/, { count: i + 1 });
  }
  assert.equal(pids.size, 3);
});

test('respawn: a program that ends at once is not started over and over', async (t) => {
  const file = path.join(tempDir(t), 'starts');
  const proxy = await wrapped(t, ['/bin/sh', '-c', 'date +%s.%N >>"$0"', file], { args: ['--wrap-mode=respawn'] });
  const times = await until('four starts', () => {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
    return lines.length >= 4 && lines;
  });
  const pauses = times.slice(1).map((time, i) => time - times[i]);
  assert.ok(pauses[0] > 0.2 && pauses[1] > 0.45 && pauses[2] > 0.95, `${pauses}`);
  await proxy.stop();
});

test('SIGTERM ends all of its process group', async (t) => {
  const file = path.join(tempDir(t), 'pids');
  const proxy = await wrapped(t, ['/bin/sh', '-c', 'sleep 1000 & echo $$ $! >"$0"; wait', file]);
  const pids = await until('the processes', () => existsSync(file) && readFileSync(file, 'utf8').match(/^(\d+) (\d+)\n$/)?.slice(1));
  assert.deepEqual(pids.map(alive), [true, true]);
  await proxy.stop();
  await until('their end', () => !pids.some(alive));
});

test('killed with SIGKILL, it takes the program along', async (t) => {
  const child = start(t, binary, ['127.0.0.1:0', '--', 'sleep', '1000']);
  const pid = Number(await until('the program', () => /started sleep, pid (\d+)/.exec(child.output)?.[1], { last: () => child.output }));
  assert.ok(alive(pid));
  child.kill('SIGKILL');
  await until('its end', () => !alive(pid));
});

test('an LD_PRELOAD of its own stays', { skip: sanitized ? 'AddressSanitizer wants to be the first library' : false }, async (t) => {
  const folder = tempDir(t);
  const script = path.join(folder, 'show');
  writeFileSync(script, '#!/bin/sh\nprintf %s "$LD_PRELOAD" >"$0.out"\n', { mode: 0o755 });
  const result = await runToEnd(t, ['127.0.0.1:0', '--', script], { env: { ...process.env, LD_PRELOAD: 'libc.so.6' } });
  assert.equal(result.code, 0);
  assert.match(readFileSync(`${script}.out`, 'utf8'), /^libc\.so\.6:\/.*\/rebind\.so$/);
});

// Targets that refuse, reset, never answer or are slow, and a resolver that is dead: the client is told in words and in
// time, and whoever has nothing to do with it notices nothing.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { get } from './support/http.mjs';
import { deadNameServer, ownResolvConf } from './support/names.mjs';
import { children, descriptors, runs } from './support/processes.mjs';
import { Proxy } from './support/proxy.mjs';
import { scopeOf, tempDir, until } from './support/scope.mjs';
import { refusedPort, startEcho, startNeverAnswers, startServer, startTrickle } from './support/servers.mjs';
import { Op, WebSocketClient, frame } from './support/websocket.mjs';

/** Milliseconds that a byte takes there and back, the median of `count`. */
async function roundTrip(client, count = 50) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await client.send('x');
    await client.bytes(1);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[count >> 1];
}

/** A daemon that goes by a file, with a live session to `echo`; then its target becomes `host:port` for new ones. */
async function startLeaving(t, target, options = [], more = {}) {
  const echo = await startEcho(t);
  const file = path.join(tempDir(t), 'wsproxy.conf');
  const write = (where) => writeFileSync(file, ['listen = 127.0.0.1:0', `target = ${where}`, ...options, ''].join('\n'));
  write(`127.0.0.1:${echo.port}`);
  const proxy = await Proxy.start(t, '', { argv: ['--config', file], ...more });
  const session = await WebSocketClient.open(t, { port: proxy.port });
  const quiet = await roundTrip(session);
  const before = descriptors(proxy.pid);
  const turnTo = async (where) => {
    const { length } = proxy.log.split('\n').filter((line) => /reloaded: /.test(line));
    write(where);
    proxy.child.kill('SIGHUP');
    await proxy.logged(/reloaded: /, { count: length + 1 });
  };
  await turnTo(target);
  return {
    proxy,
    session,
    turnTo,
    echo,
    /** The live session is as quick as ever, or nearly: a loop that waits for one of the others is slower by seconds. */
    async calm() {
      const busy = await roundTrip(session);
      assert.ok(busy < Math.max(250, 20 * quiet), `${busy} ms in place of ${quiet}`);
      assert.equal((await get(t, proxy.port, '/')).status, 200);
    },
    settled: () => until('the descriptors as before', () => descriptors(proxy.pid) === before, { last: () => `${descriptors(proxy.pid)}, not ${before}` }),
  };
}

/** `count` sessions that wait for their target, all at once. */
const openMany = (t, proxy, count) => Promise.all(Array.from({ length: count }, () => WebSocketClient.open(t, { port: proxy.port })));

/** They answer pings, and they end with 1011 and these words. */
async function areTold(clients, words) {
  await Promise.all(
    clients.map(async (client) => {
      const { code, reason } = await client.closed();
      assert.equal(code, 1011);
      assert.match(reason, words);
      await client.finish();
      client.socket.destroy();
    }),
  );
}

test('100 sessions for a target that refuses: 1011 in words, the others stay calm', async (t) => {
  const port = await refusedPort();
  const { proxy, calm, settled } = await startLeaving(t, `127.0.0.1:${port}`);
  const clients = await openMany(t, proxy, 100);
  await calm();
  await areTold(clients, new RegExp(`^cannot reach 127\\.0\\.0\\.1:${port}: connection refused$`));
  await settled();
});

test('100 sessions for a target that never answers: pings are answered, 1011 after the time-out, the others stay calm', async (t) => {
  const silent = await startNeverAnswers(t);
  const { proxy, calm, settled } = await startLeaving(t, `127.0.0.1:${silent.port}`, ['connect-timeout = 3']);
  const clients = await openMany(t, proxy, 100);
  await clients[0].write(frame(Op.ping, 'hello?'));
  assert.equal((await clients[0].frame()).opcode, Op.pong);
  await calm();
  await areTold(clients, /cannot reach .*: .*timed out/);
  await settled();
});

test('100 sessions whose target resets after some bytes: what came, then 1001, the others stay calm', async (t) => {
  const rude = await startServer(t, (socket) => {
    socket.once('data', () => socket.write('some', () => setImmediate(() => socket.resetAndDestroy())));
    socket.resume();
  });
  const { proxy, calm, settled } = await startLeaving(t, `127.0.0.1:${rude.port}`);
  const clients = await openMany(t, proxy, 100);
  await calm();
  await Promise.all(
    clients.map(async (client) => {
      await client.send('and now?');
      const { code, data } = await client.closed();
      assert.equal(code, 1001);
      assert.match(String(data), /^(some)?$/); // a reset overtakes what has not been read yet
      client.socket.destroy();
    }),
  );
  await settled();
});

test('a target that takes a few bytes at a time, and sends as few: all arrive, the others stay calm', async (t) => {
  const noise = randomBytes(300_000);
  const slow = await startTrickle(t, noise);
  const { proxy, calm, settled } = await startLeaving(t, `127.0.0.1:${slow.port}`);
  const clients = await openMany(t, proxy, 5);
  const talks = clients.map(async (client) => {
    const sending = client.send(noise);
    assert.ok((await client.bytes(noise.length)).equals(noise));
    const digest = await client.bytes(32);
    await sending;
    assert.ok(digest.equals(createHash('sha256').update(noise).digest()));
    assert.equal((await client.closed()).code, 1000);
    await client.finish();
    client.socket.destroy();
  });
  await calm();
  await Promise.all(talks);
  await settled();
});

// ---- names

test('a name server that is dead: 1011 within the look-up time-out for 50 sessions, the others stay calm', async (t) => {
  const server = await deadNameServer(t);
  const under = server && (await ownResolvConf(t, `nameserver ${server.address}\noptions timeout:30\n`));
  if (!under) return t.skip('needs port 53 and a mount namespace');
  const { proxy, calm, settled, turnTo, echo } = await startLeaving(t, 'desktop.example:5900', ['lookup-timeout = 3'], { under });
  const clients = await openMany(t, proxy, 50);
  await until('the name server to be asked', () => server.asked() > 0);
  await clients[0].write(frame(Op.ping, 'hello?'));
  assert.equal((await clients[0].frame()).opcode, Op.pong);
  await calm();
  await areTold(clients, /cannot reach desktop\.example:5900: .*timed out/);
  await settled();
  // and who needs no name server is served at once
  await turnTo(`localhost:${echo.port}`);
  await roundTrip(await WebSocketClient.open(t, { port: proxy.port }), 1);
});

test('a look-up helper that is killed again and again: another takes over, and the names are found', async (t) => {
  const { proxy, calm, turnTo, echo } = await startLeaving(t, 'localhost:1');
  await turnTo(`localhost:${echo.port}`);
  const helper = () => children(proxy.pid).find(({ name }) => name === 'wsproxy-lookup')?.pid;
  const names = () => String(children(proxy.pid).map(({ pid, name }) => (runs(pid) ? name : 'zombie')).sort());
  const before = names();
  for (let i = 0; i < 5; i++) {
    const old = await until('a helper', helper);
    const clients = openMany(t, proxy, 10);
    process.kill(old, 'SIGKILL');
    for (const client of await clients) {
      await roundTrip(client, 1);
      client.socket.destroy();
    }
    await until('its end', () => !runs(old));
  }
  await calm();
  assert.ok(helper(), 'there is one');
  await until('no more processes than at the start, and no zombies', () => names() === before, { last: names });
});

test('a look-up helper that hangs: 1011 within the time-out, the others stay calm, and names are found when it goes on', async (t) => {
  const { proxy, calm, settled, turnTo, echo } = await startLeaving(t, 'localhost:1', ['lookup-timeout = 2']);
  await turnTo(`localhost:${echo.port}`);
  const { pid } = await until('the helper', () => children(proxy.pid).find(({ name }) => name === 'wsproxy-lookup'));
  process.kill(pid, 'SIGSTOP');
  scopeOf(t).add(() => runs(pid) && process.kill(pid, 'SIGCONT'));
  // more than the queue between them takes
  const clients = await openMany(t, proxy, 300);
  await calm();
  await areTold(clients, /cannot reach localhost:\d+: .*timed out/);
  await settled();
  process.kill(pid, 'SIGCONT');
  await roundTrip(await WebSocketClient.open(t, { port: proxy.port }), 1);
});

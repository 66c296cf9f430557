// Clients by the thousand that begin and never go on, peers that take nothing, connects without end: the others notice
// nothing of it, and in the end nothing is left.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { get } from './support/http.mjs';
import { descriptors } from './support/processes.mjs';
import { Proxy, sanitized } from './support/proxy.mjs';
import { fileScope, until, untilStill } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient, connect, frame, upgradeRequest } from './support/websocket.mjs';

const MiB = 1 << 20;
const scope = fileScope();
const certificate = await makeCertificate(scope);
const tls = ['--cert', certificate.cert, '--key', certificate.key];

/** Milliseconds that a byte takes there and back: the median of `count`, and the worst. */
async function roundTrips(client, count = 100) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await client.send('x');
    await client.bytes(1);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return { median: times[count >> 1], worst: times.at(-1) };
}

/** The round trip is as it was, or nearly: a loop that waits for one of many clients is slower by seconds. */
async function staysCalm(session, quiet) {
  const busy = await roundTrips(session, 50);
  assert.ok(busy.median < Math.max(250, 20 * quiet.median), `${busy.median} ms in place of ${quiet.median}`);
}

// ---- half-open

/** `count` connections that have said `first` and will not come to an end by themselves. */
async function openHalf(t, port, count, first) {
  const sockets = [];
  const some = async () => {
    while (sockets.length < count) {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      sockets.push(socket);
      socket.on('error', () => {});
      socket.resume();
      await once(socket, 'connect').catch(() => {});
      if (!socket.destroyed) socket.write(first);
    }
  };
  await Promise.all(Array.from({ length: 20 }, some));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  return sockets;
}

for (const { kind, first, next, kib } of [
  { kind: 'plain heads', first: 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', next: 'x', kib: 8 },
  // a record of 512 bytes whose hello does not come; OpenSSL has its buffers by then
  { kind: 'TLS hellos', first: Buffer.from('16030102000100', 'hex'), next: Buffer.from([0]), kib: 64 },
]) {
  test(`1,000 clients whose ${kind} never end: a session stays calm, who comes is served, and they are gone after the time-out`, async (t) => {
    const half = 1000;
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: [...tls, '--handshake-timeout', '12'] });
    const session = await WebSocketClient.open(t, { port: proxy.port });
    const quiet = await roundTrips(session);
    const before = { descriptors: descriptors(proxy.pid), rss: proxy.rss() };

    const sockets = await openHalf(t, proxy.port, half, first);
    await until('all of them accepted', () => descriptors(proxy.pid) >= before.descriptors + half);
    // each goes on with a byte every half second: the time counts in all, not from byte to byte
    const dripping = setInterval(() => sockets.forEach((socket) => socket.write(next)), 500);
    t.after(() => clearInterval(dripping));

    await staysCalm(session, quiet);
    assert.ok(descriptors(proxy.pid) >= before.descriptors + half, 'all of them are still there');
    if (!sanitized) {
      const each = (proxy.rss() - before.rss) / half;
      assert.ok(each < kib, `${each} KiB for each of them`);
    }
    for (const secure of [false, true]) {
      assert.equal((await get(t, proxy.port, '/', {}, { secure })).status, 200);
      const client = await WebSocketClient.open(t, { port: proxy.port, secure });
      await roundTrips(client, 3);
      client.socket.destroy();
    }
    await until('the end of all of them', () => descriptors(proxy.pid) === before.descriptors, { timeout: 30_000, last: () => descriptors(proxy.pid) });
    await roundTrips(session, 3);
  });
}

const told = 256; // so many of those who are refused may be about to hear why
const halfHead = 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ';
const left = (sockets) => sockets.filter((socket) => !socket.destroyed).length;

/** The status that a page from `localAddress` is answered with; 0 for none. */
function pageFrom(port, localAddress) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress }, () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    socket.once('data', (answer) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)) || socket.destroy());
    socket.on('error', () => {}).on('close', () => resolve(0));
  });
}

test('1,000 half-open clients of one address, 100 of which may be: the others are sent away, other addresses are served', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--max-pending-per-address', '100', '--handshake-timeout', '60'] });
  const session = await WebSocketClient.open(t, { port: proxy.port });
  const quiet = await roundTrips(session);
  const sockets = await openHalf(t, proxy.port, 1000, halfHead);
  const there = await untilStill('the refusals', () => left(sockets));
  assert.ok(there >= 100 && there <= 100 + told, `${there} are left`);
  await staysCalm(session, quiet);
  assert.equal(await pageFrom(proxy.port, '127.0.0.2'), 200);
  assert.ok([429, 0].includes(await pageFrom(proxy.port, '127.0.0.1')));
  sockets.forEach((socket) => socket.destroy());
  await until('a page for who was over the limit', async () => (await pageFrom(proxy.port, '127.0.0.1')) === 200);
});

test('1,000 half-open clients, refused at random from 200 on and all from 400: a session stays calm, and all are served after the time-out', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--max-pending', '200:30:400', '--handshake-timeout', '6'] });
  const session = await WebSocketClient.open(t, { port: proxy.port });
  const quiet = await roundTrips(session);
  const sockets = await openHalf(t, proxy.port, 1000, halfHead);
  await until('the refusals', () => left(sockets) <= 400 + told, { last: () => left(sockets) });
  assert.ok(left(sockets) >= 200, `${left(sockets)} are left`);
  await staysCalm(session, quiet);
  await until('a page', async () => (await pageFrom(proxy.port, '127.0.0.2')) === 200, { every: 100 });
  await until('the end of all of them', () => left(sockets) === 0, { timeout: 15_000, last: () => left(sockets) });
});

// ---- stalled

/** Writes `total` bytes by `write`, a MiB at a time, for as long as they are taken. Stops when `.stop` is set. */
async function offer(write, total, wrap = (bytes) => bytes) {
  const piece = wrap(Buffer.alloc(MiB, 'w'));
  for (let at = 0; at < total; at += MiB) await write(piece);
}

const taken = (sockets) => sockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);

for (const secure of [false, true]) {
  for (const side of ['browser', 'server']) {
    test(`512 MiB for a ${side} that takes nothing, ${secure ? 'by TLS' : 'plain'}: little is accepted, memory stays flat`, async (t) => {
      const server = await startServer(t);
      const proxy = await Proxy.start(t, server.port, { args: tls });
      const pairs = [];
      for (let i = 0; i < 4; i++) pairs.push({ client: await WebSocketClient.open(t, { port: proxy.port, secure }), target: await server.next() });
      const before = proxy.rss();
      const writers = pairs.map(({ client, target }) => (side === 'browser' ? target : client.socket));
      // what the test destroys at its end fails to be written
      for (const writer of writers) {
        const write = (bytes) => new Promise((resolve, reject) => writer.write(bytes, (error) => (error ? reject(error) : resolve())));
        offer(write, 128 * MiB, side === 'browser' ? undefined : (bytes) => frame(2, bytes)).catch(() => {});
      }
      const accepted = await untilStill('the writing', () => taken(writers), { quiet: 500 });
      // Two connections' worth of the kernels' buffers, some MiB each, and at most two rings of ours.
      assert.ok(accepted < pairs.length * 20 * MiB, `${accepted} bytes accepted`);
      const grown = proxy.rss() - before;
      if (!sanitized) assert.ok(grown < 2048, `grew by ${grown} KiB`);

      // Who takes something again gets it.
      const [{ client, target }] = pairs;
      if (side === 'browser') {
        for (let have = 0; have < 48 * MiB; ) have += (await client.data()).length;
      } else {
        let have = 0;
        target.on('data', (bytes) => (have += bytes.length));
        target.resume();
        await until('48 MiB', () => have >= 48 * MiB, { timeout: 20_000, last: () => have });
      }
    });
  }
}

// ---- many

const connects = sanitized ? 4000 : 20_000;

test(`${connects.toLocaleString('en')} connects of all kinds leave the descriptors as they were`, async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: [...tls, '--heartbeat', '0'] });
  const port = proxy.port;
  const session = await WebSocketClient.open(t, { port });
  const before = descriptors(proxy.pid);

  const plain = (end) => async () => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    await once(socket, 'connect');
    end(socket);
    if (!socket.destroyed) await once(socket, 'close');
  };
  const opened = async (secure) => new WebSocketClient(await connect(t, { port, secure }));
  const kinds = [
    { share: 12, go: plain((socket) => socket.destroy()) },
    { share: 10, go: plain((socket) => socket.resetAndDestroy()) },
    { share: 3, go: plain((socket) => socket.resume().end('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')) },
    { share: 3, go: plain((socket) => socket.resume().end('no HTTP at all\r\n\r\n')) },
    { share: 2, go: plain((socket) => socket.write(upgradeRequest({ port }), () => socket.resetAndDestroy())) }, // aborted
    { share: 1, go: plain((socket) => socket.write(Buffer.from('160301', 'hex'), () => socket.destroy())) },
    {
      share: 1,
      go: async () => {
        const client = await opened(false);
        await client.upgrade({ port });
        await client.send('there and back');
        await client.bytes(14);
        await client.finish();
        client.socket.destroy();
      },
    },
    {
      share: 0.5,
      go: async () => {
        const client = await opened(true);
        await client.upgrade({ port });
        client.socket.destroy();
      },
    },
  ];
  const shares = kinds.reduce((sum, { share }) => sum + share, 0);
  const plan = kinds.flatMap(({ share, go }) => Array(Math.ceil((share / shares) * connects)).fill(go));
  // spread evenly: each kind beside the others
  const order = plan.map((_, i) => plan[(i * 7919) % plan.length]);
  assert.ok(order.length >= connects);
  let at = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      while (at < order.length) await order[at++]();
    }),
  );
  await until('the descriptors as before', () => descriptors(proxy.pid) <= before, { timeout: 15_000, last: () => `${descriptors(proxy.pid)}, not ${before}` });
  await roundTrips(session, 3);
});

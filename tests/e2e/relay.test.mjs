// The relay: every byte, in order, both ways; back-pressure; ends of all kinds; what the log says.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { HttpClient } from './support/http.mjs';
import { Proxy, binary, sanitized } from './support/proxy.mjs';
import { fileScope, start, until, untilStill, within } from './support/scope.mjs';
import { refusedPort, startEcho, startGreeter, startNeverAnswers, startSayAndEnd, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { Op, WebSocketClient, frame } from './support/websocket.mjs';

const MiB = 1 << 20;
const scope = fileScope();
const certificate = await makeCertificate(scope);

const sha = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

for (const secure of [false, true]) {
  test(`32 MiB of noise come back unchanged in frames of odd sizes, ${secure ? 'TLS' : 'plain'}`, async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--cert', certificate.cert, '--key', certificate.key] });
    const client = await WebSocketClient.open(t, { port: proxy.port, secure, timeout: 30_000 });
    const noise = randomBytes(32 * MiB);
    const sizes = [1, 125, 126, 4093, 65535, 65536, 262_147, MiB + 1];
    const sending = (async () => {
      for (let at = 0, i = 0; at < noise.length; i++) {
        const size = sizes[i % sizes.length];
        await client.send(noise.subarray(at, at + size));
        at += size;
      }
    })();
    const received = createHash('sha256');
    for (let have = 0; have < noise.length; ) {
      const payload = await client.data();
      received.update(payload);
      have += payload.length;
      assert.ok(have <= noise.length, 'no byte too many');
    }
    await sending;
    assert.equal(received.digest('hex'), sha(noise));
  });
}

test('several sessions at once keep their bytes apart', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port);
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const client = await WebSocketClient.open(t, { port: proxy.port });
    const mine = Buffer.alloc(200_000, i + 1);
    const sending = client.send(mine);
    assert.ok((await client.bytes(mine.length)).equals(mine), `session ${i}`);
    await sending;
    await client.close();
    assert.equal((await client.closed()).code, 1000);
  }));
  await proxy.logged(/\] closed /, { count: 20 });
});

test('a server that speaks first is heard', async (t) => {
  const greeter = await startGreeter(t, 'RFB 003.008\n');
  const proxy = await Proxy.start(t, greeter.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  assert.equal(String(await client.bytes(12)), 'RFB 003.008\n');
});

test('a server that says all and ends: the data first, then Close 1000 with a reason', async (t) => {
  const bytes = randomBytes(3 * MiB);
  const server = await startSayAndEnd(t, bytes);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const { code, reason, data } = await client.closed();
  assert.equal(code, 1000);
  assert.notEqual(reason, '');
  assert.equal(data.length, bytes.length);
  assert.equal(sha(data), sha(bytes));
  await client.close();
  assert.equal((await client.reader.rest()).length, 0);
});

test('a server that ends while the browser is slow: still all data, then Close 1000', async (t) => {
  const bytes = randomBytes(24 * MiB);
  const server = await startSayAndEnd(t, bytes);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const socket = await server.next();
  await untilStill('the server\'s writing', () => socket.bytesWritten - socket.writableLength);
  const { code, data } = await client.closed();
  assert.equal(code, 1000);
  assert.equal(sha(data), sha(bytes));
});

test('what the browser sent before its Close reaches a slow server, then the end', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const bytes = randomBytes(300_000);
  await client.send(bytes);
  await client.close(1000);
  const reader = await server.nextReader();
  const received = await reader.rest();
  assert.equal(received.length, bytes.length);
  assert.equal(sha(received), sha(bytes));
  assert.equal((await client.closed()).code, 1000);
});

test('what the browser sent before its Close reaches a server that read nothing until then', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port, timeout: 20_000 });
  const bytes = randomBytes(24 * MiB);
  const sending = client.send(bytes).then(() => client.close(1000));
  const reader = await server.nextReader();
  await untilStill('the browser\'s writing', () => client.socket.bytesWritten - client.socket.writableLength);
  const received = await reader.rest();
  await sending;
  assert.equal(sha(received), sha(bytes));
  assert.equal((await client.closed()).code, 1000);
});

test('what the browser sent before the server ended its side still arrives there', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const bytes = randomBytes(200_000);
  await client.send(bytes);
  const reader = await server.nextReader();
  reader.socket.end('last words');
  const { code, data } = await client.closed();
  assert.equal(code, 1000);
  assert.equal(String(data), 'last words');
  await client.close(1000);
  assert.equal(sha(await reader.rest()), sha(bytes));
});

test('a browser that ends TCP without a Close: its server gets what came, then the end', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout=1'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.send('half a thought');
  client.socket.end();
  assert.equal(String(await (await server.nextReader()).rest()), 'half a thought');
  await proxy.logged(/\] closed /);
});

test('the target resets: Close 1001 with a reason', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const reader = await server.nextReader();
  await client.send('x');
  await reader.read(1);
  reader.socket.resetAndDestroy();
  const { code, reason } = await client.closed();
  assert.equal(code, 1001);
  assert.notEqual(reason, '');
});

test('the target refuses: 101, then Close 1011 in words', async (t) => {
  const port = await refusedPort();
  for (const host of ['127.0.0.1', 'localhost']) {
    const proxy = await Proxy.start(t, `${host}:${port}`);
    const client = await WebSocketClient.open(t, { port: proxy.port });
    const { code, reason } = await client.closed();
    assert.equal(code, 1011);
    assert.equal(reason, `cannot reach ${host}:${port}: connection refused`);
    await client.finish();
    assert.match((await proxy.logged(/\] closed /))[0], /connection refused/);
  }
});

test('a Unix target that is not there: Close 1011, naming it', async (t) => {
  const proxy = await Proxy.start(t, 'unix:/nonexistent/rfb');
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const { code, reason } = await client.closed();
  assert.equal(code, 1011);
  assert.match(reason, /cannot reach .*\/nonexistent\/rfb: no such file/i);
});

test('a Close reason never exceeds the 123 bytes a frame holds, and stays valid UTF-8', async (t) => {
  const proxy = await Proxy.start(t, `unix:/${'ä'.repeat(50)}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const { code, reason } = await client.closed();
  assert.equal(code, 1011);
  assert.ok(Buffer.byteLength(reason) <= 123);
  assert.doesNotMatch(reason, /\ufffd/);
});

test('the target never answers: Close 1011 after the connect time-out', async (t) => {
  const silent = await startNeverAnswers(t);
  const proxy = await Proxy.start(t, silent.port, { args: ['--connect-timeout=1'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const started = Date.now();
  const { code, reason } = await client.closed();
  assert.equal(code, 1011);
  assert.match(reason, /cannot reach .*: .*time/i);
  assert.ok(Date.now() - started > 800, 'not before its time');
});

test('a browser that leaves while its target does not answer frees the attempt', async (t) => {
  const silent = await startNeverAnswers(t);
  const proxy = await Proxy.start(t, silent.port, { args: ['--connect-timeout=60'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.close(1000);
  assert.equal((await client.closed()).code, 1000);
  await proxy.logged(/\] closed /);
  const other = await WebSocketClient.open(t, { port: proxy.port });
  other.socket.resetAndDestroy();
  await proxy.logged(/\] closed /, { count: 2 });
});

test('pings are answered while the target is being dialled', async (t) => {
  const silent = await startNeverAnswers(t);
  const proxy = await Proxy.start(t, silent.port, { args: ['--connect-timeout=60'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.write(frame(Op.ping, 'hello?'));
  const answer = await client.frame();
  assert.equal(answer.opcode, Op.pong);
  assert.equal(String(answer.payload), 'hello?');
});

test('a name that does not exist: Close 1011, and the loop never waited', async (t) => {
  const proxy = await Proxy.start(t, 'no-such-host.invalid:5900', { args: ['--lookup-timeout=2'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const { code, reason } = await client.closed();
  assert.equal(code, 1011);
  assert.match(reason, /no-such-host\.invalid/);
});

test('many look-ups at once all come to an end', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, `localhost:${echo.port}`);
  await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    const client = await WebSocketClient.open(t, { port: proxy.port });
    await client.send(`session ${i}`);
    assert.equal(String(await client.data()), `session ${i}`);
  }));
});

test('bytes sent before the target is reached arrive there', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, `localhost:${echo.port}`);
  const early = randomBytes(300_000);
  const client = await WebSocketClient.open(t, { port: proxy.port, first: frame(Op.binary, early) });
  assert.equal(sha(await client.bytes(early.length)), sha(early));
});

test('a stalled browser stops the reading of its server, memory stays flat, and nothing is lost', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const target = await server.nextReader();
  const before = proxy.rss();
  const bytes = randomBytes(48 * MiB);
  const sending = target.write(bytes);
  const taken = await untilStill('the server\'s writing', () => target.socket.bytesWritten - target.socket.writableLength);
  // The kernels' own buffers hold a few MiB on each of the two connections.
  assert.ok(taken < 40 * MiB, `the proxy read on: ${taken}`);
  if (!sanitized) assert.ok(proxy.rss() - before < 2048, `grew by ${proxy.rss() - before} KiB`);

  const bystander = await WebSocketClient.open(t, { port: proxy.port });
  const other = await server.nextReader();
  await bystander.send('me?');
  assert.equal(String(await other.read(3)), 'me?');
  await other.write('yes');
  assert.equal(String(await bystander.bytes(3)), 'yes');

  assert.equal(sha(await client.bytes(bytes.length)), sha(bytes));
  await sending;
});

for (const secure of [false, true]) {
  test(`a slow but steady reader that types gets all its server said before it ended, ${secure ? 'TLS' : 'plain'}`, async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout=1', '--cert', certificate.cert, '--key', certificate.key] });
    const client = await WebSocketClient.open(t, { port: proxy.port, secure });
    const target = await server.nextReader();
    const bytes = randomBytes(4 * MiB);
    target.socket.end(bytes);
    target.socket.resume();
    // The pace is what is tested: a piece is due every so often, three times the drain time-out in all.
    const pieces = 64;
    const size = bytes.length / pieces;
    const began = performance.now();
    const received = createHash('sha256');
    for (let i = 0; i < pieces; i++) {
      received.update(await client.bytes(size));
      client.socket.pause();
      await client.write(frame(Op.binary, 'key'));
      await until('the next piece is due', () => performance.now() - began >= (i + 1) * (3000 / pieces), { every: 5 });
    }
    const { code, data } = await client.closed();
    assert.equal(code, 1000);
    assert.equal(data.length, 0);
    assert.equal(received.digest('hex'), sha(bytes));
    assert.ok(performance.now() - began > 2500, 'slower than the drain time-out');
  });
}

test('a browser that does not read can still type', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const target = await server.nextReader();
  const sending = target.write(randomBytes(32 * MiB)).catch(() => {});
  await untilStill('the server\'s writing', () => target.socket.bytesWritten - target.socket.writableLength);
  await client.send('key');
  assert.equal(String(await target.read(3)), 'key');
  client.socket.destroy();
  target.socket.destroy();
  await sending;
});

test('a stalled server stops the reading of its browser, memory stays flat, and nothing is lost', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const target = await server.nextReader();
  const before = proxy.rss();
  const bytes = randomBytes(48 * MiB);
  const sending = (async () => {
    for (let at = 0; at < bytes.length; at += MiB) await client.send(bytes.subarray(at, at + MiB));
  })();
  const taken = await untilStill('the browser\'s writing', () => client.socket.bytesWritten - client.socket.writableLength);
  assert.ok(taken < 40 * MiB, `the proxy read on: ${taken}`);
  if (!sanitized) assert.ok(proxy.rss() - before < 2048, `grew by ${proxy.rss() - before} KiB`);
  const hash = createHash('sha256');
  for (let have = 0; have < bytes.length; ) {
    const chunk = await target.some();
    hash.update(chunk);
    have += chunk.length;
  }
  await sending;
  assert.equal(hash.digest('hex'), sha(bytes));
});

test('a hundred sessions that come and go leave memory and descriptors as they were', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port);
  const descriptors = () => readdirSync(`/proc/${proxy.pid}/fd`).length;
  const round = async (count) => {
    for (let i = 0; i < count; i++) {
      const client = await WebSocketClient.open(t, { port: proxy.port });
      await client.send(randomBytes(10_000));
      await client.bytes(10_000);
      if (i % 3 === 0) client.socket.resetAndDestroy();
      else if (i % 3 === 1) client.socket.end();
      else await client.close();
      await client.reader.rest({ resetOk: true });
      client.socket.destroy();
    }
  };
  await round(20);
  await proxy.logged(/\] closed /, { count: 20 });
  const before = { fds: descriptors(), rss: proxy.rss() };
  await round(100);
  await proxy.logged(/\] closed /, { count: 120 });
  assert.equal(await untilStill('descriptors', descriptors, { quiet: 200 }), before.fds);
  if (!sanitized) assert.ok(proxy.rss() - before.rss < 512, `grew by ${proxy.rss() - before.rss} KiB`);
});

test('the log opens and closes each session with one line: who, where to, why, how much, how long', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port);
  const client = await WebSocketClient.open(t, { port: proxy.port, path: '/websockify?token=SECRET-TOKEN' });
  await client.send(Buffer.alloc(12_345));
  await client.bytes(12_345);
  await client.close(1000, 'done');
  await client.closed();
  const closed = await proxy.logged(/\] closed /);
  const opened = await proxy.logged(/\] open /);
  assert.equal(closed.length, 1);
  assert.equal(opened.length, 1);
  const stamp = String.raw`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info \[s\d+ 127\.0\.0\.1:${client.socket.localPort}\] `;
  assert.match(opened[0], new RegExp(`${stamp}open target=127\\.0\\.0\\.1:${echo.port}\\b`));
  assert.match(closed[0], new RegExp(`${stamp}closed .*reason="`));
  assert.equal(closed[0].match(/\b12345\b/g)?.length, 2, `bytes each way in: ${closed[0]}`);
  assert.match(closed[0], /\bduration=|\bseconds=|\d+(\.\d+)?s\b/);
  assert.equal(/\[(s\d+) /.exec(opened[0])[1], /\[(s\d+) /.exec(closed[0])[1]);
  assert.doesNotMatch(proxy.log, /SECRET-TOKEN/);
});

test('--verbose never logs the token either', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['-v'] });
  const client = await WebSocketClient.open(t, { port: proxy.port, path: '/websockify?token=SECRET-TOKEN' });
  await client.close();
  await client.closed();
  await proxy.logged(/\] closed /);
  assert.doesNotMatch(proxy.log, /SECRET-TOKEN/);
});

test('a reason sent by a browser cannot forge a log line', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['-v'] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.close(1000, 'x"\n2026-01-01T00:00:00.000Z info [s9 6.6.6.6:6] forged');
  await client.closed();
  await proxy.logged(/\] closed /);
  assert.doesNotMatch(proxy.log, /^2026-01-01T00:00:00\.000Z/m);
});

test('SIGTERM: open sessions get Close 1001, half-open ones an end, exit 0 within 2 s', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const idle = await WebSocketClient.open(t, { port: proxy.port });
  await server.next();
  const stalled = await WebSocketClient.open(t, { port: proxy.port });
  const flooding = await server.next();
  flooding.write(randomBytes(16 * MiB));
  await untilStill('the server\'s writing', () => flooding.bytesWritten - flooding.writableLength);
  const half = await HttpClient.open(t, { port: proxy.port });
  half.socket.write('GET / HTT');
  const stopping = proxy.stop('SIGTERM');
  const { code } = await idle.closed();
  assert.equal(code, 1001);
  await idle.close(1001);
  await half.reader.rest({ resetOk: true });
  const took = await stopping;
  assert.ok(took < 2000, `took ${took} ms`);
  await stalled.reader.rest({ resetOk: true });
});

test('SIGTERM: every opening line of the log has its closing line', async (t) => {
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port);
  const clients = [];
  const targets = [];
  for (let i = 0; i < 5; i++) {
    clients.push(await WebSocketClient.open(t, { port: proxy.port }));
    targets.push(await server.next());
  }
  // one client answers the Close, one stalls, the others say nothing more
  targets[1].write(randomBytes(16 * MiB));
  await untilStill('the server\'s writing', () => targets[1].bytesWritten - targets[1].writableLength);
  const stopping = proxy.stop('SIGTERM');
  assert.equal((await clients[0].closed()).code, 1001);
  await clients[0].close(1001);
  await stopping;
  const names = (pattern) => [...proxy.log.matchAll(pattern)].map((match) => match[1]).sort();
  const opened = names(/\[(s\d+) [^\]]*\] open /g);
  assert.equal(opened.length, clients.length);
  assert.deepEqual(names(/\[(s\d+) [^\]]*\] closed /g), opened);
});

test('SIGTERM without sessions: exit 0 at once', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900');
  const took = await proxy.stop('SIGTERM');
  assert.ok(took < 1000, `took ${took} ms`);
});

test('SIGTERM twice: no harm', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  proxy.child.kill('SIGTERM');
  proxy.child.kill('SIGTERM');
  assert.equal((await client.closed()).code, 1001);
  client.socket.end();
  await within(2500, 'exit', proxy.child.exited);
  await proxy.stop();
});

test('children of the daemon end with it, even after SIGKILL', async (t) => {
  const child = start(t, binary, ['127.0.0.1:0', 'localhost:5900']);
  await until('ready line', () => /^open /m.test(child.output), { last: () => child.output });
  const helpers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ').filter(Boolean);
  child.kill('SIGKILL');
  await child.exited;
  for (const pid of helpers) {
    await until(`helper ${pid} to end`, () => {
      try {
        return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return true;
      }
    });
  }
});

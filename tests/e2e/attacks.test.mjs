// What a stranger tries who can do no more than connect: to choose the target, to be led elsewhere, to write into our
// logs and pages, to hold up the others by sheer bytes; and a wall clock that cannot be trusted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { jumpingClock } from './support/clock.mjs';
import { startFlood, startTakers } from './support/flood.mjs';
import { HttpClient, get, raw } from './support/http.mjs';
import { Proxy, sanitized } from './support/proxy.mjs';
import { tempDir, until } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { Op, WebSocketClient, connect, upgradeRequest } from './support/websocket.mjs';

test('no client chooses the target, wherever it writes an address', async (t) => {
  const echo = await startEcho(t);
  let visitors = 0;
  const other = await startServer(t, () => visitors++);
  const proxy = await Proxy.start(t, echo.port);
  const there = `127.0.0.1:${other.port}`;
  for (const options of [
    { path: `/websockify?host=127.0.0.1&port=${other.port}` },
    { path: `/websockify?token=${there}&target=${there}` },
    { path: `/websockify/${there}` },
    { path: `/${there}` },
    { path: `//${there}/websockify` },
    { path: '/websockify', protocols: `binary, ${there}` },
    { path: '/websockify', headers: { 'X-Forwarded-Host': there, Forwarded: `host=${there}`, Cookie: `token=${there}`, Authorization: `Bearer ${there}` } },
  ]) {
    const client = await WebSocketClient.open(t, { port: proxy.port, ...options }).catch((error) => error);
    if (client instanceof Error) assert.match(client.message, /HTTP\/1\.1 4\d\d /, options.path);
    else {
      await client.send('who are you?');
      assert.equal(String(await client.bytes(12)), 'who are you?', 'the one that the operator chose');
      await client.finish();
    }
  }
  // our own page at most, whoever is named
  for (const request of [`GET http://${there}/ HTTP/1.1\r\nHost: ${there}\r\n\r\n`, upgradeRequest({ path: `http://${there}/`, headers: { Host: there } })]) await raw(t, proxy.port, request);
  assert.equal((await raw(t, proxy.port, `CONNECT ${there} HTTP/1.1\r\nHost: ${there}\r\n\r\n`)).status, 405);
  assert.equal(visitors, 0);
});

test('the built-in page has no redirects, and no path leads out of it', async (t) => {
  const proxy = await Proxy.start(t, 5900);
  for (const target of ['//evil.example/..', '//evil.example/%2e%2e', '/\\evil.example', '/%2fevil.example/..', '/..', '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc/passwd', '/app.js/', '/app.js/..', '/./vnc.html', '/vnc.html%00.png', '/.git/config']) {
    const { status, headers } = await get(t, proxy.port, target);
    assert.ok(status === 404 || status === 400, `${status} to ${target}`);
    assert.equal(headers.location, undefined, target);
  }
});

test('no page echoes what was asked for, and each says what it may do', async (t) => {
  const proxy = await Proxy.start(t, 5900);
  for (const target of ['/', '/vnc.html?name=<script>alert(1)</script>', '/<script>alert(1)</script>', "/'\"><img src=x onerror=alert(1)>", '/%3Cscript%3Ealert(1)%3C/script%3E']) {
    const answer = await get(t, proxy.port, target, { Referer: 'http://x/<script>alert(1)', 'User-Agent': '<script>alert(1)' });
    assert.doesNotMatch(String(answer.body), /alert\(1\)/, target);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', target);
    if (answer.status !== 200) assert.match(answer.headers['content-type'], /^text\/plain/);
    else {
      const policy = answer.headers['content-security-policy'];
      assert.match(policy, /default-src '(self|none)'/);
      assert.match(policy, /frame-ancestors /);
      assert.doesNotMatch(policy, /script-src[^;]*'unsafe-(inline|eval)'/);
    }
  }
});

for (const format of ['text', 'json']) {
  test(`whatever a client says is printable in the logs, a line for each event (${format})`, async (t) => {
    const [log, access] = ['log', 'access'].map((name) => path.join(tempDir(t), name));
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['-v', '--log-file', log, '--log-format', format, '--access-log', access, '--access-format', format === 'json' ? 'json' : 'combined'] });
    const nasty = '\x1b]0;title\x07\x1b[2J\x9b31m\xff"\\ forged';
    for (const request of [
      `GET /${nasty} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      `GET /none HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${nasty}\r\nReferer: ${nasty}\r\n\r\n`,
      `GET /none HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "\xff\xfe\\\r\nReferer: http://a/"\\\t\xe2\x80\xae\r\n\r\n`,
      `GET /\xe2\x80\xae%0a%0d%1b[2J HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${'h'.repeat(4000)}.example\r\n\r\n`,
      `GET /${'long/'.repeat(700)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      upgradeRequest({ headers: { Origin: `http://evil"\\${'x'.repeat(3000)}` } }),
    ]) {
      await raw(t, proxy.port, request);
    }
    const client = await WebSocketClient.open(t, { port: proxy.port, headers: { 'User-Agent': '"\xff' } });
    await client.close(1000, '\x1b[2J\nforged\u2028 ‮');
    await client.closed();
    client.socket.destroy();
    await proxy.logged(/\bclosed\b/);
    await proxy.stop();
    for (const file of [log, access]) {
      const bytes = readFileSync(file, 'latin1');
      assert.match(bytes, /none/);
      assert.doesNotMatch(bytes, /[^\n\x20-\x7e]/, file);
      for (const line of bytes.trimEnd().split('\n')) {
        assert.ok(line.length < 4096, 'it fits into a pipe at once');
        if (format === 'json') assert.ok(JSON.parse(line).time, line);
        else assert.match(line, file === log ? /^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warning|error) / : /^127\.0\.0\.1 - - \[/);
      }
    }
  });
}

test('a session stays calm beside four that move all they can, and a page is served', async (t) => {
  const flood = await startFlood(t);
  const proxy = await Proxy.start(t, flood.port);
  const session = await WebSocketClient.open(t, { port: proxy.port });
  const times = [];
  const roundTrips = async (count) => {
    times.length = 0;
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      await session.send('x');
      await session.bytes(1);
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[count >> 1];
  };
  await roundTrips(20);
  const takers = await startTakers(t, proxy.port, 4);
  const busy = await roundTrips(50);
  const marks = takers.map(({ output }) => output.length);
  assert.ok(busy < 500, `${busy} ms`);
  assert.equal((await get(t, proxy.port, '/')).status, 200);
  await until('the floods to go on, each of them', () => takers.every(({ output }, i) => output.length > marks[i]));
});

// ---- the clock

const preload = { skip: sanitized ? 'a sanitizer wants to be the first library' : false };

test('a wall clock that jumps by a day at every look moves no deadline', preload, async (t) => {
  const library = await jumpingClock(t);
  const server = await startServer(t);
  const proxy = await Proxy.start(t, server.port, { env: { LD_PRELOAD: library }, args: ['-v', '--handshake-timeout', '2', '--heartbeat', '1', '--drain-timeout', '2'] });
  const half = await HttpClient.open(t, { port: proxy.port });
  const began = performance.now();
  half.socket.write('GET / HTT');
  const session = await WebSocketClient.open(t, { port: proxy.port });
  assert.equal((await session.frame()).opcode, Op.ping);
  assert.ok(performance.now() - began > 300, 'not before it was quiet for a while');
  await session.write(Buffer.from([0x8a, 0x80, 1, 2, 3, 4]));
  assert.equal((await half.response()).status, 408);
  const took = performance.now() - began;
  assert.ok(took > 1500 && took < 8000, `${took} ms`);
  await session.write(Buffer.from([0x8a, 0x80, 1, 2, 3, 4]));
  const days = new Set([...proxy.log.matchAll(/^(\d{4}-\d\d-\d\d)T/gm)].map((match) => match[1]));
  assert.ok(days.size > 1, 'the clock did jump');
  const idle = await connect(t, { port: proxy.port });
  await proxy.stop();
  idle.destroy();
});

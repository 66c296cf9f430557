// The embedded page and the HTTP around it: heads good and bad, caching, keep-alive, time-outs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { HttpClient, get, raw } from './support/http.mjs';
import { Proxy } from './support/proxy.mjs';
import { fileScope } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { WebSocketClient, connect } from './support/websocket.mjs';
import { Reader } from './support/bytes.mjs';

const scope = fileScope();
const echo = await startEcho(scope);
const { port } = await Proxy.shared(scope, echo.port);
const impatient = await Proxy.shared(scope, echo.port, { args: ['--handshake-timeout=1'] });

test('GET / and /vnc.html give the page, uncompressed for those who do not ask', async (t) => {
  const page = await get(t, port, '/');
  assert.equal(page.status, 200);
  assert.match(page.headers['content-type'], /^text\/html; *charset=utf-8$/i);
  assert.equal(page.headers['content-encoding'], undefined);
  assert.match(String(page.body), /<!doctype html>/i);
  assert.match(String(page.body), /<\/html>\s*$/);
  assert.equal(page.headers['content-length'], String(page.body.length));
  const old = await get(t, port, '/vnc.html');
  assert.equal(old.status, 200);
  assert.ok(old.body.equals(page.body));
});

test('a query behind the page\'s path is no other page', async (t) => {
  assert.equal((await get(t, port, '/vnc.html?autoconnect=1&path=websockify%3Ftoken%3Dx')).status, 200);
  assert.equal((await get(t, port, '/?resize=scale')).status, 200);
});

test('the page comes gzip-compressed when accepted, and is the same', async (t) => {
  const plain = await get(t, port, '/');
  const packed = await get(t, port, '/', { 'Accept-Encoding': 'gzip, deflate, br' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.match(packed.headers.vary, /accept-encoding/i);
  assert.ok(gunzipSync(packed.body).equals(plain.body));
  assert.notEqual(packed.headers.etag, plain.headers.etag, 'two representations, two tags');
});

for (const [accept, expected] of [
  ['gzip;q=0', undefined],
  ['identity', undefined],
  ['br', undefined],
  ['GZIP', 'gzip'],
  ['x, gzip;q=0.5', 'gzip'],
  ['gzipped', undefined],
]) {
  test(`Accept-Encoding: ${accept} gives ${expected ?? 'no compression'}`, async (t) => {
    assert.equal((await get(t, port, '/', { 'Accept-Encoding': accept })).headers['content-encoding'], expected);
  });
}

test('a known ETag gives 304 without a body, on a connection that goes on', async (t) => {
  const client = await HttpClient.open(t, { port });
  for (const encoding of ['identity', 'gzip']) {
    const first = await client.get('/', { 'Accept-Encoding': encoding });
    assert.match(first.headers.etag, /^"[^"]+"$/);
    const second = await client.get('/', { 'Accept-Encoding': encoding, 'If-None-Match': first.headers.etag });
    assert.equal(second.status, 304);
    assert.equal(second.headers.etag, first.headers.etag);
    const listed = await client.get('/', { 'Accept-Encoding': encoding, 'If-None-Match': `"other", W/${first.headers.etag}` });
    assert.equal(listed.status, 304);
    assert.equal((await client.get('/', { 'Accept-Encoding': encoding, 'If-None-Match': '"other"' })).status, 200);
  }
  assert.equal((await client.get('/', { 'If-None-Match': '*' })).status, 304);
});

test('HEAD gives the head of GET and no body', async (t) => {
  const client = await HttpClient.open(t, { port });
  const got = await client.get('/');
  const head = await client.get('/', {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], got.headers['content-length']);
  assert.equal(head.headers.etag, got.headers.etag);
  assert.equal((await client.get('/')).status, 200, 'nothing of a body was left on the connection');
});

test('other methods: 405 with Allow', async (t) => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
    const answer = await get(t, port, '/', { 'Content-Length': '0' }, { method });
    assert.equal(answer.status, 405, method);
    assert.deepEqual(answer.headers.allow.split(/, */).sort(), ['GET', 'HEAD'], method);
  }
});

test('a method nobody knows: 501', async (t) => {
  assert.equal((await get(t, port, '/', {}, { method: 'BREW' })).status, 501);
});

test('a request\'s body is not taken for the next request', async (t) => {
  const client = await HttpClient.open(t, { port });
  const body = 'GET /vnc.html HTTP/1.1\r\nHost: x\r\n\r\n';
  const answer = await client.raw(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.equal(answer.status, 405);
  assert.equal((await client.reader.rest({ resetOk: true })).length, 0, 'one answer, then the end');
});

test('what is not there: 404', async (t) => {
  for (const path of ['/missing', '/index', '/vnc.html/', '//', '/../etc/passwd', '/%2e%2e/', '/vnc.html%00', '/websockify']) {
    assert.equal((await get(t, port, path)).status, 404, path);
  }
});

test('answers come in order to requests sent at once', async (t) => {
  const client = await HttpClient.open(t, { port });
  const one = (path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const answers = [await client.raw(one('/') + one('/missing') + one('/vnc.html'))];
  answers.push(await client.response(), await client.response());
  assert.deepEqual(answers.map((answer) => answer.status), [200, 404, 200]);
});

test('Connection: close and HTTP/1.0 end the connection after the answer', async (t) => {
  for (const request of ['GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n']) {
    const client = await HttpClient.open(t, { port });
    const answer = await client.raw(request);
    assert.equal(answer.status, 200);
    assert.equal((await client.reader.rest()).length, 0, 'a clean end');
  }
});

test('a head that comes byte by byte is understood', async (t) => {
  const client = await HttpClient.open(t, { port });
  for (const byte of 'GET /vnc.html HTTP/1.1\r\nHost: localhost\r\n') {
    await new Promise((resolve) => client.socket.write(byte, resolve));
  }
  assert.equal((await client.raw('\r\n')).status, 200);
});

const badHeads = [
  ['garbage', '\x01\x02\x03\x04\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['a version that does not exist', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
  ['HTTP/1.1 without Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['a header without a colon', 'GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: x\r\nAccept : y\r\n\r\n'],
  ['an empty header name', 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
  ['a NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n'],
  ['a bare CR in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n'],
  ['a control character in the path', 'GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a path that does not start with a slash', 'GET vnc.html HTTP/1.1\r\nHost: x\r\n\r\n'],
];
for (const [what, bytes] of badHeads) {
  test(`${what}: 400, and the connection ends`, async (t) => {
    const client = await HttpClient.open(t, { port });
    const answer = await client.raw(Buffer.from(bytes, 'latin1'));
    assert.ok(answer.status === 400 || answer.status === 505, `status ${answer.status}`);
    assert.equal((await client.reader.rest({ resetOk: true })).length, 0);
  });
}

test('a head over 16 KiB: 431', async (t) => {
  const filler = 'x'.repeat(17 * 1024);
  assert.equal((await raw(t, port, `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${filler}\r\n\r\n`)).status, 431);
  assert.equal((await raw(t, port, `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(3000)}\r\n`)).status, 431);
});

test('a request line over 16 KiB: 431 or 414', async (t) => {
  assert.ok([414, 431].includes((await raw(t, port, `GET /${'x'.repeat(17 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`)).status));
});

test('a head just under 16 KiB is served', async (t) => {
  const start = 'GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ';
  const answer = await raw(t, port, `${start}${'x'.repeat(16 * 1024 - start.length - 4)}\r\n\r\n`);
  assert.equal(answer.status, 200);
});

test('an endless head is cut off without being read on', async (t) => {
  const client = await HttpClient.open(t, { port });
  client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(1 << 20)}`);
  assert.equal((await client.response()).status, 431);
});

test('half a request: 408 after the handshake time-out', async (t) => {
  for (const half of ['G', 'GET / HTTP/1.1\r\nHost: x\r\n', 'GET / HTTP/1.1\r\nHost: x\r\n\r']) {
    const client = await HttpClient.open(t, { port: impatient.port });
    const started = Date.now();
    assert.equal((await client.raw(half)).status, 408);
    assert.ok(Date.now() - started > 900, 'not before its time');
    assert.equal((await client.reader.rest({ resetOk: true })).length, 0);
  }
});

test('a request that trickles in does not stretch the time-out', async (t) => {
  const client = await HttpClient.open(t, { port: impatient.port });
  const started = Date.now();
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\nA: ');
  const timer = setInterval(() => client.socket.write('x'), 100);
  try {
    assert.equal((await client.response()).status, 408);
  } finally {
    clearInterval(timer);
  }
  assert.ok(Date.now() - started < 3000);
});

test('a connection that says nothing is ended, and so is one that asks no more', async (t) => {
  const silent = new Reader(await connect(t, { port: impatient.port }));
  await silent.rest({ resetOk: true });
  const client = await HttpClient.open(t, { port: impatient.port });
  assert.equal((await client.get('/')).status, 200);
  await client.reader.rest({ resetOk: true });
});

test('clients that vanish at any byte leave the others unharmed', async (t) => {
  const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (let cut = 0; cut <= request.length; cut++) {
    const socket = await connect(t, { port });
    socket.write(request.slice(0, cut));
    if (cut % 2) socket.resetAndDestroy();
    else socket.destroy();
  }
  const client = await WebSocketClient.open(t, { port });
  await client.send('still here');
  assert.equal(String(await client.data()), 'still here');
});

test('the page does not name the server software\'s internals and forbids sniffing', async (t) => {
  const { headers } = await get(t, port, '/');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.doesNotMatch(headers.server ?? '', /python|openssl|g\+\+/i);
});

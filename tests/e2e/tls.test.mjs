// TLS and plain on one port.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import test from 'node:test';
import { Reader } from './support/bytes.mjs';
import { HttpClient, get } from './support/http.mjs';
import { Proxy } from './support/proxy.mjs';
import { fileScope } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient, connect, frame, Op } from './support/websocket.mjs';

const scope = fileScope();
const { cert, key, both } = await makeCertificate(scope);
const echo = await startEcho(scope);
const proxy = await Proxy.shared(scope, echo.port, { args: ['--cert', cert, '--key', key] });
const impatient = await Proxy.shared(scope, echo.port, { args: ['--cert', both, '--handshake-timeout', '1'] });
const strict = await Proxy.shared(scope, echo.port, { args: ['--cert', both, '--ssl-only'] });
const { port } = proxy;

test('with a certificate the URL to open is https', () => {
  assert.equal(proxy.url, `https://127.0.0.1:${port}/`);
});

test('one port serves the page by http and https', async (t) => {
  const plain = await get(t, port, '/');
  const secure = await get(t, port, '/', {}, { secure: true });
  assert.equal(plain.status, 200);
  assert.equal(secure.status, 200);
  assert.ok(plain.body.equals(secure.body));
});

test('one port takes ws and wss', async (t) => {
  for (const secure of [false, true]) {
    const client = await WebSocketClient.open(t, { port, secure });
    await client.send('both');
    assert.equal(String(await client.data()), 'both');
    await client.close(1000);
    assert.equal((await client.closed()).code, 1000);
    assert.equal((await client.reader.rest({ resetOk: true })).length, 0);
  }
});

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`${version} is spoken`, async (t) => {
    const socket = await connect(t, { port, secure: true, tlsOptions: { minVersion: version, maxVersion: version } });
    assert.equal(socket.getProtocol(), version);
    assert.equal((await new HttpClient(socket).get('/')).status, 200);
  });
}

for (const version of ['TLSv1', 'TLSv1.1']) {
  test(`${version} is refused`, async (t) => {
    const tlsOptions = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(connect(t, { port, secure: true, tlsOptions }), /version|handshake|ECONNRESET|socket disconnected/i);
  });
}

test('ALPN: http/1.1 is chosen among others, and none needs to be offered', async (t) => {
  const both = await connect(t, { port, secure: true, tlsOptions: { ALPNProtocols: ['h2', 'http/1.1'] } });
  assert.equal(both.alpnProtocol, 'http/1.1');
  const none = await connect(t, { port, secure: true, tlsOptions: { ALPNProtocols: undefined } });
  assert.equal(none.alpnProtocol, false);
  assert.equal((await new HttpClient(none).get('/')).status, 200);
});

test('a certificate with its key in the same file works, as does --key', async (t) => {
  assert.equal((await get(t, strict.port, '/', {}, { secure: true })).status, 200);
});

test('--ssl-only: no plain page and no plain WebSocket, TLS as usual', async (t) => {
  const client = await HttpClient.open(t, { port: strict.port });
  client.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const answer = String(await client.reader.rest({ resetOk: true }));
  assert.doesNotMatch(answer, /^HTTP\/1\.1 (2\d\d|101)/);
  assert.doesNotMatch(answer, /<canvas|<script/);
  await assert.rejects(WebSocketClient.open(t, { port: strict.port }));
  const secure = await WebSocketClient.open(t, { port: strict.port, secure: true });
  await secure.send('ok');
  assert.equal(String(await secure.data()), 'ok');
});

test('--ssl-only with --server-name: a plain GET is led to that name, whatever Host says', async (t) => {
  const named = await Proxy.start(t, echo.port, { args: ['--cert', both, '--ssl-only', '--server-name=desk.example.org'] });
  for (const name of ['localhost', '127.0.0.1', 'desk.example.org']) {
    const answer = await get(t, named.port, '/vnc.html?a=b', { Host: `${name}:1` });
    assert.equal(answer.status, 308, name);
    assert.equal(answer.headers.location, `https://desk.example.org:${named.port}/vnc.html?a=b`);
  }
  const refused = await get(t, strict.port, '/');
  assert.equal(refused.status, 400);
  assert.match(String(refused.body), /https:\/\//, 'and without a name it is told what to use');
});

test('--hsts is said over TLS, with every answer, and nowhere else (RFC 6797 section 7.2)', async (t) => {
  const told = await Proxy.start(t, echo.port, { args: ['--cert', both, '--hsts=86400'] });
  for (const [path, status] of [['/', 200], ['/none', 404]]) {
    const answer = await get(t, told.port, path, {}, { secure: true });
    assert.equal(answer.status, status);
    assert.equal(answer.headers['strict-transport-security'], 'max-age=86400');
    assert.equal((await get(t, told.port, path)).headers['strict-transport-security'], undefined);
  }
  assert.equal((await get(t, port, '/', {}, { secure: true })).headers['strict-transport-security'], undefined, 'by default');
});

test('without a certificate a TLS hello is ended at once', async (t) => {
  const plain = await Proxy.start(t, echo.port);
  await assert.rejects(connect(t, { port: plain.port, secure: true }));
  assert.equal((await get(t, plain.port, '/')).status, 200);
});

test('bytes in the same record as the handshake are kept, over TLS too', async (t) => {
  const client = await WebSocketClient.open(t, { port, secure: true, first: frame(Op.binary, 'early') });
  assert.equal(String(await client.bytes(5)), 'early');
});

test('a session of many small records keeps its bytes', async (t) => {
  const client = await WebSocketClient.open(t, { port, secure: true });
  const noise = randomBytes(200_000);
  const sending = (async () => {
    for (let at = 0; at < noise.length; at += 97) await client.send(noise.subarray(at, at + 97));
  })();
  assert.ok((await client.bytes(noise.length)).equals(noise));
  await sending;
});

test('a TLS hello that never ends is given up on after the handshake time-out', async (t) => {
  for (const bytes of [[0x16], [0x16, 3, 1, 2, 0, 1]]) {
    const socket = await connect(t, { port: impatient.port });
    socket.write(Buffer.from(bytes));
    const started = Date.now();
    await new Reader(socket).rest({ resetOk: true });
    assert.ok(Date.now() - started > 800);
  }
});

test('a TLS handshake that stops after the hello is given up on too, and so is silence after it', async (t) => {
  const quiet = await connect(t, { port: impatient.port, secure: true });
  await new Reader(quiet).rest({ resetOk: true });
});

test('a hello that comes byte by byte is understood', async (t) => {
  // A pipe between a TLS client and the proxy that passes on one byte at a time.
  const slow = net.createServer({ allowHalfOpen: true }, (socket) => {
    const out = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    out.on('error', () => {});
    let last = Promise.resolve();
    socket.on('data', (chunk) => {
      for (const byte of chunk) last = last.then(() => new Promise((resolve) => out.write(Buffer.from([byte]), resolve)));
    });
    out.pipe(socket);
    socket.on('close', () => out.destroy());
  });
  await new Promise((resolve) => slow.listen(0, '127.0.0.1', resolve));
  scope.add(() => slow.close());
  assert.equal((await get(t, slow.address().port, '/', {}, { secure: true })).status, 200);
});

test('noise behind a TLS first byte ends that connection alone', async (t) => {
  for (let i = 0; i < 20; i++) {
    const socket = await connect(t, { port });
    socket.write(Buffer.concat([Buffer.from([0x16, 3, 1, 0, 60]), randomBytes(60)]));
    const answer = await new Reader(socket).rest({ resetOk: true });
    assert.ok(answer.length === 0 || answer[0] === 0x15, `an alert at most, not ${answer}`);
  }
  assert.equal((await get(t, port, '/', {}, { secure: true })).status, 200);
});

test('a client that cuts TCP without close_notify frees its server', async (t) => {
  const client = await WebSocketClient.open(t, { port, secure: true });
  await client.send('x');
  await client.data();
  const closed = (proxy.log.match(/\] closed /g) ?? []).length;
  client.socket.destroy();
  await proxy.logged(/\] closed /, { count: closed + 1 });
});

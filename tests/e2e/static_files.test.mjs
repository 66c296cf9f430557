// --web DIR: files of a folder, and never anything outside it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { HttpClient, get } from './support/http.mjs';
import { Proxy } from './support/proxy.mjs';
import { fileScope, run, tempDir } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { WebSocketClient, connect } from './support/websocket.mjs';

const scope = fileScope();
const top = tempDir(scope);
const web = path.join(top, 'web');
const put = (name, content) => {
  mkdirSync(path.dirname(path.join(web, name)), { recursive: true });
  writeFileSync(path.join(web, name), content);
};
const script = 'console.log("hello");\n'.repeat(200);
const blob = Buffer.from(Array.from({ length: 3 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 255));
put('index.html', '<!doctype html><title>mine</title>');
put('app/index.html', 'app index');
put('app/main.js', script);
put('app/main.js.gz', gzipSync(script));
put('data.bin', blob);
put('empty.txt', '');
put('with space & ümlaut.txt', 'found');
put('nolist/file.txt', 'x');
put('.hidden', 'dot');
for (const name of ['a.css', 'a.svg', 'a.png', 'a.json', 'a.mjs', 'a.wasm', 'a.woff2', 'a.txt', 'a.ico', 'a.unknown', 'A.HTML', 'a.oga']) put(name, name);
writeFileSync(path.join(top, 'secret.txt'), 'SECRET');
mkdirSync(path.join(top, 'web-other'));
writeFileSync(path.join(top, 'web-other', 'secret.txt'), 'SECRET');
symlinkSync('../secret.txt', path.join(web, 'link-out'));
symlinkSync(path.join(top, 'secret.txt'), path.join(web, 'link-absolute'));
symlinkSync('..', path.join(web, 'dir-out'));
symlinkSync('/etc', path.join(web, 'etc'));
symlinkSync('app/main.js', path.join(web, 'link-in'));
symlinkSync('loop', path.join(web, 'loop'));
symlinkSync('/proc/self/environ', path.join(web, 'environ'));
await run(scope, 'mkfifo', [path.join(web, 'fifo')]);
utimesSync(path.join(web, 'data.bin'), 1_700_000_000, 1_700_000_000);

const echo = await startEcho(scope);
const { port } = await Proxy.shared(scope, echo.port, { args: ['--web', web] });

test('a folder gives its index.html, with or without one below', async (t) => {
  assert.equal(String((await get(t, port, '/')).body), '<!doctype html><title>mine</title>');
  assert.equal(String((await get(t, port, '/index.html')).body), '<!doctype html><title>mine</title>');
  assert.equal(String((await get(t, port, '/app/')).body), 'app index');
  assert.equal(String((await get(t, port, '/app/?x=1')).body), 'app index');
});

test('a folder without a slash is not redirected, and one without index is not listed', async (t) => {
  const bare = await get(t, port, '/app');
  assert.ok(bare.status < 300 || bare.status >= 400, `status ${bare.status}`);
  assert.equal(bare.headers.location, undefined);
  for (const name of ['/nolist/', '/nolist']) {
    const answer = await get(t, port, name);
    assert.ok(answer.status === 404 || answer.status === 403, `${name}: ${answer.status}`);
    assert.doesNotMatch(String(answer.body), /file\.txt/);
  }
});

for (const [name, type] of [
  ['a.css', 'text/css'], ['a.svg', 'image/svg+xml'], ['a.png', 'image/png'], ['a.json', 'application/json'],
  ['a.mjs', 'text/javascript'], ['app/main.js', 'text/javascript'], ['a.wasm', 'application/wasm'], ['a.woff2', 'font/woff2'],
  ['a.txt', 'text/plain'], ['A.HTML', 'text/html'], ['a.unknown', 'application/octet-stream'], ['data.bin', 'application/octet-stream'],
  ['a.oga', 'audio/ogg'],
]) {
  test(`${name} is ${type}`, async (t) => {
    const answer = await get(t, port, `/${name}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'].split(';')[0], type);
  });
}

test('names with escapes are found, bad escapes are not', async (t) => {
  assert.equal(String((await get(t, port, '/with%20space%20&%20%C3%BCmlaut.txt')).body), 'found');
  for (const name of ['/%', '/%2', '/%zz', '/a.txt%00', '/a.txt%00.html']) {
    const { status } = await get(t, port, name);
    assert.ok(status === 400 || status === 404, `${name}: ${status}`);
  }
});

test('every answer says no-cache and nosniff, with ETag and Last-Modified', async (t) => {
  const { headers } = await get(t, port, '/data.bin');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['cache-control'], 'no-cache');
  assert.equal(headers['last-modified'], 'Tue, 14 Nov 2023 22:13:20 GMT');
  assert.match(headers.etag, /^(W\/)?"[^"]+"$/);
});

test('what the browser has already: 304 by ETag and by date, and the tag decides', async (t) => {
  const { headers } = await get(t, port, '/data.bin');
  const ask = async (extra) => (await get(t, port, '/data.bin', extra)).status;
  assert.equal(await ask({ 'If-None-Match': headers.etag }), 304);
  assert.equal(await ask({ 'If-Modified-Since': headers['last-modified'] }), 304);
  assert.equal(await ask({ 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:19 GMT' }), 200);
  assert.equal(await ask({ 'If-Modified-Since': 'yesterday' }), 200);
  assert.equal(await ask({ 'If-None-Match': '"other"', 'If-Modified-Since': headers['last-modified'] }), 200);
});

test('a file that changes changes its tag', async (t) => {
  put('changing.txt', 'one');
  const before = await get(t, port, '/changing.txt');
  put('changing.txt', 'other');
  const after = await get(t, port, '/changing.txt', { 'If-None-Match': before.headers.etag });
  assert.equal(after.status, 200);
  assert.equal(String(after.body), 'other');
});

test('a large file arrives whole, also for a reader that is slow to start', async (t) => {
  const answer = await get(t, port, '/data.bin');
  assert.ok(answer.body.equals(blob));
});

for (const [range, from, to] of [
  ['bytes=0-0', 0, 1],
  ['bytes=100-199', 100, 200],
  ['bytes=3145000-', 3145000, blob.length],
  ['bytes=-10', blob.length - 10, blob.length],
  ['bytes=0-99999999', 0, blob.length],
  ['bytes=-99999999', 0, blob.length],
]) {
  test(`Range: ${range} gives 206 with those bytes`, async (t) => {
    const answer = await get(t, port, '/data.bin', { Range: range });
    assert.equal(answer.status, 206);
    assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${blob.length}`);
    assert.ok(answer.body.equals(blob.subarray(from, to)));
  });
}

for (const range of [`bytes=${blob.length}-`, 'bytes=-0', 'bytes=99999999-999999999']) {
  test(`Range: ${range} gives 416 with the size`, async (t) => {
    const answer = await get(t, port, '/data.bin', { Range: range });
    assert.equal(answer.status, 416);
    assert.equal(answer.headers['content-range'], `bytes */${blob.length}`);
  });
}

for (const range of ['bytes=5-1', 'lines=1-2', 'bytes=x-', 'bytes=', 'bytes=1-2,4-5', 'bytes=18446744073709551616-']) {
  test(`Range: ${range} is ignored or refused, never misread`, async (t) => {
    const answer = await get(t, port, '/data.bin', { Range: range });
    if (answer.status === 200) assert.ok(answer.body.equals(blob));
    else assert.equal(answer.status, 416);
  });
}

test('If-Range with another tag gives the whole file', async (t) => {
  const { headers } = await get(t, port, '/data.bin');
  assert.equal((await get(t, port, '/data.bin', { Range: 'bytes=0-9', 'If-Range': '"other"' })).status, 200);
  if (!headers.etag.startsWith('W/')) {
    assert.equal((await get(t, port, '/data.bin', { Range: 'bytes=0-9', 'If-Range': headers.etag })).status, 206);
  }
});

test('a range of an empty file', async (t) => {
  const answer = await get(t, port, '/empty.txt', { Range: 'bytes=0-' });
  assert.ok(answer.status === 416 || answer.status === 200, `status ${answer.status}`);
  assert.equal((await get(t, port, '/empty.txt')).headers['content-length'], '0');
});

test('the .gz beside a file is sent to those who accept it, under the file\'s own type', async (t) => {
  const packed = await get(t, port, '/app/main.js', { 'Accept-Encoding': 'gzip' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.match(packed.headers['content-type'], /^text\/javascript/);
  assert.match(packed.headers.vary, /accept-encoding/i);
  assert.equal(String(gunzipSync(packed.body)), script);
  const plain = await get(t, port, '/app/main.js');
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(String(plain.body), script);
  assert.notEqual(plain.headers.etag, packed.headers.etag);
  assert.match(plain.headers.vary ?? '', /accept-encoding/i);
});

test('HEAD gives the length and no body', async (t) => {
  const client = await HttpClient.open(t, { port });
  const head = await client.get('/data.bin', {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], String(blob.length));
  assert.equal((await client.get('/a.txt')).status, 200);
});

test('nothing outside the folder is ever served', async (t) => {
  for (const name of [
    '/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/%2e%2e%2fsecret.txt', '/app/../../secret.txt', '/app/%2e%2e/%2e%2e/secret.txt',
    '/./../secret.txt', '//../secret.txt', '/..\\secret.txt', '/%5c..%5csecret.txt', '/../web-other/secret.txt', '//etc/passwd', '/%2fetc/passwd',
    `/${path.join(top, 'secret.txt')}`, '/link-out', '/link-absolute', '/dir-out/secret.txt', '/dir-out/', '/etc/passwd', '/environ',
    '/%252e%252e/secret.txt', '/app/..%00/secret.txt', '/....//secret.txt',
  ]) {
    const answer = await get(t, port, name);
    assert.ok([400, 403, 404].includes(answer.status), `${name}: ${answer.status}`);
    assert.doesNotMatch(String(answer.body), /SECRET|root:/, name);
  }
});

test('a symlink within the folder is followed', async (t) => {
  assert.equal(String((await get(t, port, '/link-in')).body), script);
});

test('a path inside that goes up and down again never leaves', async (t) => {
  const answer = await get(t, port, '/app/../a.txt');
  assert.ok([200, 400, 404].includes(answer.status));
  if (answer.status === 200) assert.equal(String(answer.body), 'a.txt');
});

test('a loop of links, a named pipe, a file taken for a folder: an error at once', async (t) => {
  for (const name of ['/loop', '/fifo', '/a.txt/', '/a.txt/x']) {
    const { status } = await get(t, port, name);
    assert.ok([403, 404].includes(status), `${name}: ${status}`);
  }
});

test('a name longer than any file system takes: 404 or 400', async (t) => {
  assert.ok([400, 404, 414].includes((await get(t, port, `/${'x'.repeat(5000)}`)).status));
});

test('a redirect is never built from the path', async (t) => {
  for (const name of ['//example.com/', '//example.com/app', '/app', '/\\example.com']) {
    const answer = await get(t, port, name);
    assert.equal(answer.headers.location, undefined, name);
  }
});

test('the embedded page is not there beside a folder of one\'s own', async (t) => {
  assert.equal((await get(t, port, '/vnc.html')).status, 404);
});

test('a WebSocket still works at any path', async (t) => {
  for (const where of ['/websockify', '/', '/a.txt', '/any/path?token=x']) {
    const client = await WebSocketClient.open(t, { port, path: where });
    await client.send('x');
    assert.equal(String(await client.data()), 'x', where);
  }
});

test('a file that is replaced while it is sent does not mix with the other', async (t) => {
  put('swap.bin', Buffer.alloc(2 << 20, 'a'));
  const client = await HttpClient.open(t, { port });
  client.socket.write('GET /swap.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.reader.readUntil('\r\n\r\n');
  put('swap.new', Buffer.alloc(2 << 20, 'b'));
  renameSync(path.join(web, 'swap.new'), path.join(web, 'swap.bin'));
  assert.ok((await client.reader.read(2 << 20)).equals(Buffer.alloc(2 << 20, 'a')));
});

test('a file cut short while it is sent ends the connection instead of lying', async (t) => {
  put('cut.bin', Buffer.alloc(24 << 20, 'a'));
  const client = await HttpClient.open(t, { port });
  client.socket.write('GET /cut.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.reader.readUntil('\r\n\r\n');
  truncateSync(path.join(web, 'cut.bin'), 1);
  const rest = await client.reader.rest({ resetOk: true });
  assert.ok(rest.length < 24 << 20);
});

test('a slow reader, for whom the kernel holds much, gets all of a file though --send-timeout is short', async (t) => {
  const folder = tempDir(t);
  const content = randomBytes(12 << 20);
  writeFileSync(path.join(folder, 'large.bin'), content);
  const proxy = await Proxy.start(t, 1, { args: ['--web', folder, '--send-timeout', '1'] });
  const socket = await connect(t, { port: proxy.port });
  socket.pause();
  socket.write('GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const parts = [];
  for (const end = Date.now() + 3500; Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // its pace: 160 KB a second
    const part = socket.read(8 << 10) ?? socket.read();
    if (part) parts.push(part);
  }
  for await (const part of socket) parts.push(part);
  const answer = Buffer.concat(parts);
  assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(content), `${answer.length} bytes came`);
});

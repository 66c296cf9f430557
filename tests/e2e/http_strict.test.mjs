// RFC 9110 and 9112 to the letter: each request with its status, the fields every answer has to have, and what
// becomes of the connection. A row is sent whole and byte by byte; a request behind a refused one is never served.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HttpClient } from './support/http.mjs';
import { Proxy } from './support/proxy.mjs';
import { fileScope, within } from './support/scope.mjs';
import { startServer } from './support/servers.mjs';
import { upgradeRequest } from './support/websocket.mjs';

const scope = fileScope();
const target = await startServer(scope);
const { port } = await Proxy.shared(scope, target.port);

const host = 'Host: localhost\r\n';
const request = (line, fields = host, rest = '') => Buffer.from(`${line}\r\n${fields}\r\n${rest}`, 'latin1');
const get = (fields) => request('GET / HTTP/1.1', fields);
const upgrade = (headers, options = {}) => Buffer.from(upgradeRequest({ ...options, headers }), 'latin1');
const next = request('GET /vnc.html HTTP/1.1');

/** What RFC 9110 asks of every answer: a true Date, a length, and the fields that belong to its status. */
function assertWellFormed({ status, headers, body }, { head = false } = {}) {
  const date = new Date(headers.date);
  assert.equal(headers.date, date.toUTCString(), 'a Date in its one form (6.6.1)');
  assert.ok(Math.abs(Date.now() - date) < 5000, `${headers.date} is now`);
  if (status !== 304) assert.match(headers['content-length'], /^\d+$/);
  if (head) assert.ok(Number(headers['content-length']) > 0, 'the length that GET would have had (8.6)');
  else if (status !== 304) assert.equal(body.length, Number(headers['content-length']));
  assert.equal(headers['transfer-encoding'], undefined);
  if (status === 405) assert.equal(headers.allow, 'GET, HEAD', '15.5.6');
  if (status >= 400) assert.match(headers['content-type'], /^text\/plain/);
}

async function answerTo(t, bytes, { bytewise = false, head = false } = {}) {
  const client = await HttpClient.open(t, { port });
  if (bytewise) {
    for (const byte of bytes) client.socket.write(Buffer.from([byte]));
  } else {
    client.socket.write(bytes);
  }
  const answer = await client.response({ head });
  assertWellFormed(answer, { head });
  return { client, answer };
}

async function assertEnds(client, answer) {
  assert.match(answer.raw, /^Connection: .*\bclose\b/m, 'the close is announced (RFC 9112 section 9.6)');
  const rest = await within(3000, 'the end of the connection', client.reader.rest({ resetOk: true }));
  assert.equal(rest.length, 0, 'one answer, then the end: nothing behind a refused request is served');
}

const long = (size) => 'x'.repeat(size);
/** What is sent, the status, and the section that says so. */
const refused = [
  ['a bare LF behind the request line', Buffer.from('GET / HTTP/1.1\nHost: a\n\n'), 400],
  ['a bare LF behind a field', Buffer.from('GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n'), 400],
  ['a bare LF as the empty line', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\n'), 400],
  ['a bare CR in a field', get(`${host}A: b\rc\r\n`), 400],
  ['obs-fold with a space', get(`${host}A: b\r\n c\r\n`), 400],
  ['obs-fold with a tab', get(`${host}A: b\r\n\tc: d\r\n`), 400],
  ['a fold before the first field', get(` ${host}`), 400],
  ['a NUL in a value', get(`${host}A: b\0c\r\n`), 400],
  ['a NUL in a name', get(`${host}A\0: b\r\n`), 400],
  ['a NUL in the target', request('GET /\0 HTTP/1.1'), 400],
  ['a NUL in the version', request('GET / HTTP/1.\0'), 400],
  ['a space before the colon', get(`${host}A : b\r\n`), 400],
  ['a tab before the colon', get(`${host}A\t: b\r\n`), 400],
  ['Host with a space before its colon', get('Host : localhost\r\n'), 400],
  ['a name that is no token', get(`${host}A(b): c\r\n`), 400],
  ['a name above ASCII', get(`${host}\xe4: c\r\n`), 400],
  ['no name', get(`${host}: c\r\n`), 400],
  ['no colon', get(`${host}abc\r\n`), 400],

  ['no Host', get(''), 400],
  ['two Hosts, the same', get(`${host}${host}`), 400],
  ['two Hosts', get(`${host}host: other\r\n`), 400],
  ['two Hosts in HTTP/1.0', request('GET / HTTP/1.0', `${host}${host}`), 400],
  ...['a b', 'a,b', 'a/b', 'u@h', 'h?x', 'h#x', 'h:x', 'h:1:2', ':80', '[::1', '::1', '[::1]x', '[]', '%zz', '"h"', 'b\xfc'].map((name) => [`Host: ${name}`, get(`Host: ${name}\r\n`), 400]),

  ['GET *', request('GET * HTTP/1.1'), 400],
  ['OPTIONS *', request('OPTIONS * HTTP/1.1'), 405],
  ['OPTIONS /', request('OPTIONS / HTTP/1.1'), 405],
  ['authority-form without CONNECT', request('GET localhost:80 HTTP/1.1'), 400],
  ['CONNECT host:port', request('CONNECT localhost:443 HTTP/1.1', 'Host: localhost:443\r\n'), 405],
  ['CONNECT to another host', request('CONNECT example.org:443 HTTP/1.1', 'Host: example.org:443\r\n'), 421],
  ['absolute-form with the name of another host', request('GET http://example.org/ HTTP/1.1'), 421],
  ['CONNECT without a port', request('CONNECT example.org HTTP/1.1'), 400],
  ['CONNECT /', request('CONNECT / HTTP/1.1'), 400],
  ...['http:///', 'http://?q', 'http://u@h/', 'http://h:x/', 'ftp://h/', '://h/', 'http:/h', 'vnc.html', '?q', '\\', '/#x', '/\xe4', '/\x7f'].map((where) => [`the target ${JSON.stringify(where)}`, request(`GET ${where} HTTP/1.1`), 400]),
  ['two spaces', request('GET  / HTTP/1.1'), 400],
  ['a tab for a space', request('GET\t/ HTTP/1.1'), 400],
  ['a space at the end', request('GET / HTTP/1.1 '), 400],
  ['a space in front', request(' GET / HTTP/1.1'), 400],
  ['a space in the target', request('GET /a b HTTP/1.1'), 400],

  ...['5, 5', '+5', '-1', '0x5', '1e1', '', ' ', '5 5', '99999999999999999999'].map((value) => [`Content-Length: ${JSON.stringify(value)}`, request('POST / HTTP/1.1', `${host}Content-Length: ${value}\r\n`), 400]),
  ['two Content-Lengths, the same', request('POST / HTTP/1.1', `${host}Content-Length: 0\r\nContent-Length: 0\r\n`), 400],
  ['two Content-Lengths', request('POST / HTTP/1.1', `${host}Content-Length: 5\r\ncontent-length: 6\r\n`), 400],
  ['Transfer-Encoding beside Content-Length', request('POST / HTTP/1.1', `${host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`), 400],
  ['Transfer-Encoding in HTTP/1.0', request('POST / HTTP/1.0', `${host}Transfer-Encoding: chunked\r\n`), 400],
  ['chunked, but not last', request('POST / HTTP/1.1', `${host}Transfer-Encoding: chunked, gzip\r\n`), 400],
  ['chunked twice', request('POST / HTTP/1.1', `${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`), 400],
  ['an unknown coding', request('POST / HTTP/1.1', `${host}Transfer-Encoding: xchunked\r\n`), 501],
  ['a coding that hides', request('POST / HTTP/1.1', `${host}Transfer-Encoding: \x0bchunked\r\n`), 400],
  ['identity', request('GET / HTTP/1.1', `${host}Transfer-Encoding: identity\r\n`), 501],
  ['a chunked body on GET', request('GET / HTTP/1.1', `${host}Transfer-Encoding: chunked\r\n`, '0\r\n\r\n'), 400],
  ['a body on GET', request('GET / HTTP/1.1', `${host}Content-Length: 5\r\n`, 'hello'), 400],
  ['a body on POST', request('POST / HTTP/1.1', `${host}Content-Length: 5\r\n`, 'hello'), 405],
  ['a chunked body on POST', request('POST / HTTP/1.1', `${host}Transfer-Encoding: chunked\r\n`, '5\r\nhello\r\n0\r\n\r\n'), 405],

  ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 505],
  ['HTTP/0.9', Buffer.from('GET /\r\n\r\n'), 400],
  ['HTTP/0.9 by number', request('GET / HTTP/0.9'), 505],
  ['HTTP/2.0', request('GET / HTTP/2.0'), 505],
  ['HTTP/3.0', request('GET / HTTP/3.0'), 505],
  ...['HTTP/1', 'HTTP/1.', 'HTTP/1.10', 'HTTP/11', 'http/1.1', 'HTTP/a.b', 'XTTP/1.1'].map((version) => [version, request(`GET / ${version}`), 400]),

  ...['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE'].map((method) => [method, request(`${method} / HTTP/1.1`), 405]),
  ...['BREW', 'get', 'PROPFIND', 'M-SEARCH', `${long(40)}`].map((method) => [`the method ${method}`, request(`${method} / HTTP/1.1`), 501]),
  ['an unknown method that wants to upgrade', upgrade({}, { method: 'BREW' }), 501],
  ['a method that is no token', request('G@T / HTTP/1.1'), 400],

  ['an upgrade by POST', upgrade({}, { method: 'POST' }), 405],
  ['an upgrade with a body', upgrade({ 'Content-Length': '5' }), 400],
  ['an upgrade with a chunked body', upgrade({ 'Transfer-Encoding': 'chunked' }), 400],
  ['an upgrade by HTTP/1.0', upgrade({}, { version: '1.0' }), 400],
  ['an upgrade to *', upgrade({}, { path: '*' }), 400],
  ['an upgrade without Host', upgrade({ Host: null }), 400],
  ['an upgrade without a key', upgrade({ 'Sec-WebSocket-Key': null }), 400],
  ['an upgrade that Connection does not name', upgrade({ Connection: 'close' }), 400],
  ['an upgrade to version 8', upgrade({ 'Sec-WebSocket-Version': '8' }), 426],
  ['malformed extensions', upgrade({ 'Sec-WebSocket-Extensions': 'a;b="c' }), 400],
  ['malformed subprotocols', upgrade({ 'Sec-WebSocket-Protocol': 'binary, a/b' }), 400],
];
for (const [what, bytes, status] of refused) {
  test(`${what}: ${status}`, async (t) => {
    for (const bytewise of [false, true]) {
      const { client, answer } = await answerTo(t, Buffer.concat([bytes, next]), { bytewise });
      assert.equal(answer.status, status, bytewise ? 'byte by byte' : 'in one piece');
      if (status === 426) {
        assert.equal(answer.headers['sec-websocket-version'], '13');
        assert.equal(answer.headers.upgrade, 'websocket', '15.5.22');
        assert.match(answer.raw, /^Connection: Upgrade\r$/m, '7.8');
      }
      await assertEnds(client, answer);
    }
    assert.equal(target.sockets.size, 0, 'none of this reaches the target');
  });
}

for (const [what, bytes, status] of [
  ['a target over 4 KiB', request(`GET /${long(4096)} HTTP/1.1`), 414],
  ['a target over 16 KiB', request(`GET /${long(17_000)} HTTP/1.1`), 414],
  ['a query over 4 KiB', request(`GET /?${long(4096)} HTTP/1.1`), 414],
  ['a method without end', Buffer.from(long(17_000)), 501],
  ['a field over 16 KiB', get(`${host}Cookie: ${long(17_000)}\r\n`), 431],
  ['a name over 16 KiB', get(`${host}${long(17_000)}: b\r\n`), 431],
  ['fields over 16 KiB', get(`${host}${`A: ${long(90)}\r\n`.repeat(180)}`), 431],
  ['101 fields', get(`${host}${'A: b\r\n'.repeat(100)}`), 431],
]) {
  test(`${what}: ${status}`, async (t) => {
    const { client, answer } = await answerTo(t, bytes);
    assert.equal(answer.status, status);
    await assertEnds(client, answer);
  });
}

for (const [what, bytes, status] of [
  ['a good one', request('HEAD / HTTP/1.1'), 200],
  ['what is not there', request('HEAD /missing HTTP/1.1'), 404],
  ['no Host', request('HEAD / HTTP/1.1', ''), 400],
  ['obs-fold', request('HEAD / HTTP/1.1', `${host} b\r\n`), 400],
  ['a control byte', request('HEAD / HTTP/1.1', `${host}A: \x01\r\n`), 400],
  ['HTTP/2.0', request('HEAD / HTTP/2.0'), 505],
  ['a long target', request(`HEAD /${long(5000)} HTTP/1.1`), 414],
  ['a long field', request('HEAD / HTTP/1.1', `${host}A: ${long(17_000)}\r\n`), 431],
  ['a body', request('HEAD / HTTP/1.1', `${host}Content-Length: 1\r\n`, 'x'), 400],
  ['an upgrade', upgrade({}, { method: 'HEAD' }), 405],
  ['a precondition that fails', request('HEAD / HTTP/1.1', `${host}If-Match: "x"\r\n`), 412],
]) {
  test(`HEAD, ${what}: ${status}, a length and no body`, async (t) => {
    const { client, answer } = await answerTo(t, bytes, { head: true });
    assert.equal(answer.status, status);
    if (/\bclose\b/.test(answer.headers.connection ?? '')) return assertEnds(client, answer);
    assertWellFormed(await client.raw(next), {});
  });
}

test('what may be sent is served: every form of target and field that is right', async (t) => {
  const client = await HttpClient.open(t, { port });
  for (const [what, bytes, status = 200] of [
    ['absolute-form', request('GET http://localhost/ HTTP/1.1')],
    ['absolute-form with another host than Host, which is ignored', request('GET HTTP://LOCALHOST:80/vnc.html HTTP/1.1', 'Host: 127.0.0.1\r\n')],
    ['absolute-form without a path', request('GET http://localhost HTTP/1.1')],
    ['absolute-form with a query alone', request('GET http://localhost?a=/b HTTP/1.1')],
    ['absolute-form of what is not there', request('GET http://localhost/x HTTP/1.1'), 404],
    ['empty lines in front', Buffer.concat([Buffer.from('\r\n\r\n'), get()])],
    ['HTTP/1.2', request('GET / HTTP/1.2')],
    ['Content-Length: 0', get(`${host}Content-Length: 0\r\n`)],
    ['no space behind the colon', get('Host:localhost\r\nA:b\r\n')],
    ['white space around a value', get('Host: \t localhost \t\r\n')],
    ['bytes above ASCII in a value', get(`${host}A: \xe4\xff\r\n`)],
    ['an empty value', get(`${host}A:\r\n`)],
    ['100 fields', get(`${host}${'A: b\r\n'.repeat(99)}`)],
    ['a target of 4096 bytes', request(`GET /?${long(4094)} HTTP/1.1`)],
    ['an upgrade to something else', get(`${host}Connection: Upgrade\r\nUpgrade: h2c\r\n`)],
    ['an If-Modified-Since in an old form', get(`${host}If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n`)],
    ['an expectation', get(`${host}Expect: 100-continue\r\n`)],
  ]) {
    const answer = await client.raw(bytes);
    assert.equal(answer.status, status, what);
    assertWellFormed(answer);
    assert.equal(answer.headers.connection, undefined, `${what}: kept alive`);
  }
});

for (const [what, line, fields] of [
  ['HTTP/1.0', 'GET / HTTP/1.0', ''],
  ['HTTP/1.0 with keep-alive, which we do not do', 'GET / HTTP/1.0', 'Connection: keep-alive\r\n'],
  ['HTTP/1.0 with an Upgrade, to be ignored there', 'GET / HTTP/1.0', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ['Connection: close', 'GET / HTTP/1.1', `${host}Connection: close\r\n`],
  ['close in a list, in another case', 'GET / HTTP/1.1', `${host}Connection: keep-alive,\tCLOSE\r\n`],
  ['close in a second field', 'GET / HTTP/1.1', `${host}Connection: x\r\nConnection: close\r\n`],
]) {
  test(`${what}: served, and closed in good order`, async (t) => {
    const { client, answer } = await answerTo(t, Buffer.concat([request(line, fields), next]));
    assert.equal(answer.status, 200);
    await assertEnds(client, answer);
  });
}

test('an upgrade behind other requests on one connection, all sent at once', async (t) => {
  const client = await HttpClient.open(t, { port });
  const first = await client.raw(Buffer.concat([next, request('HEAD /x HTTP/1.1'), upgrade({}), Buffer.from('8280ffffffff', 'hex')]));
  assert.equal(first.status, 200);
  assert.equal((await client.response({ head: true })).status, 404);
  const answer = await client.response();
  assert.equal(answer.status, 101);
  assert.ok(Math.abs(Date.now() - new Date(answer.headers.date)) < 5000);
  assert.equal(answer.headers['content-length'], undefined, 'RFC 9110 section 8.6: none in a 1xx');
  (await target.next()).destroy();
});

test('a hundred requests at once are answered in order, and the refused one ends it', async (t) => {
  const client = await HttpClient.open(t, { port });
  const paths = Array.from({ length: 100 }, (_, i) => (i % 3 ? `/missing${i}` : '/icon.svg'));
  client.socket.write(Buffer.concat([...paths.map((path) => request(`GET ${path} HTTP/1.1`)), request('GET / HTTP/1.1', ''), next]));
  for (const path of paths) assert.equal((await client.response()).status, path === '/icon.svg' ? 200 : 404, path);
  const bad = await client.response();
  assert.equal(bad.status, 400);
  await assertEnds(client, bad);
});

// RFC 6455 as a browser, an old page, or an attacker would speak it.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test from 'node:test';
import { HttpClient } from './support/http.mjs';
import { Proxy, sanitized } from './support/proxy.mjs';
import { fileScope } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { Op, WebSocketClient, acceptOf, closePayload, frame, sampleKey, upgradeRequest } from './support/websocket.mjs';

const scope = fileScope();
const echo = await startEcho(scope);
const proxy = await Proxy.shared(scope, echo.port);
const { port } = proxy;
const open = (t, options) => WebSocketClient.open(t, { port, ...options });

/** Sends an opening handshake and gives the answer, whatever it is. */
async function ask(t, options) {
  const client = await HttpClient.open(t, { port });
  return client.raw(upgradeRequest(options));
}

test('the handshake is answered with the key\'s accept value, and nothing not offered', async (t) => {
  const client = await open(t);
  const { headers } = client.response;
  assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.match(headers.upgrade, /^websocket$/i);
  assert.match(headers.connection, /^upgrade$/i);
  assert.equal(headers['sec-websocket-protocol'], undefined);
  assert.equal(headers['sec-websocket-extensions'], undefined);
});

test('any key of 16 bytes is taken', async (t) => {
  for (let i = 0; i < 8; i++) {
    const key = randomBytes(16).toString('base64');
    const { status, headers } = await ask(t, { headers: { 'Sec-WebSocket-Key': key } });
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-accept'], acceptOf(key));
  }
});

for (const [what, headers] of [
  ['header names in any case', { Upgrade: null, Connection: null, UPGRADE: 'WebSocket', connection: 'upgrade' }],
  ['Connection as a list, as Firefox sends it', { Connection: 'keep-alive, Upgrade' }],
  ['an extension offered, declined', { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }],
  ['an Origin and cookies', { Host: 'localhost', Origin: 'http://localhost', Cookie: 'a=b; c=d' }],
]) {
  test(`${what}: upgraded`, async (t) => {
    const answer = await ask(t, { headers });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-extensions'], undefined);
  });
}

for (const version of ['7', '8', '0', '14', 'x', '', '13, 8', null]) {
  test(`version ${version === null ? 'absent' : `"${version}"`}: 426 and which one we speak`, async (t) => {
    const answer = await ask(t, { headers: { 'Sec-WebSocket-Version': version } });
    // Without any version the request is malformed rather than old.
    assert.ok(answer.status === 426 || (version === null && answer.status === 400), `status ${answer.status}`);
    if (answer.status === 426) assert.equal(answer.headers['sec-websocket-version'], '13');
  });
}

for (const [what, options] of [
  ['no key', { headers: { 'Sec-WebSocket-Key': null } }],
  ['an empty key', { headers: { 'Sec-WebSocket-Key': '' } }],
  ['a key of 15 bytes', { headers: { 'Sec-WebSocket-Key': randomBytes(15).toString('base64') } }],
  ['a key of 17 bytes', { headers: { 'Sec-WebSocket-Key': randomBytes(17).toString('base64') } }],
  ['a key that is no base64', { headers: { 'Sec-WebSocket-Key': '!!!!bGUgbm9uY2U!!!!!!!==' } }],
  ['a key of 4 KiB', { headers: { 'Sec-WebSocket-Key': 'A'.repeat(4096) } }],
  ['two keys', { headers: { 'Sec-WebSocket-Key': sampleKey, 'sec-websocket-key': sampleKey } }],
]) {
  test(`${what}: 400`, async (t) => {
    assert.equal((await ask(t, options)).status, 400);
  });
}

for (const [what, options] of [
  ['POST', { method: 'POST' }],
  ['HTTP/1.0', { version: '1.0' }],
  ['no Connection: Upgrade', { headers: { Connection: 'keep-alive' } }],
  ['another protocol to upgrade to', { headers: { Upgrade: 'h2c' } }],
]) {
  test(`${what} is not upgraded`, async (t) => {
    const { status } = await ask(t, options);
    assert.notEqual(status, 101);
    assert.ok(status < 500 && status >= 200, `status ${status}`);
  });
}

for (const [offered, selected] of [
  [undefined, undefined],
  ['binary', 'binary'],
  ['binary, base64', 'binary'],
  ['base64, binary', 'binary'],
  ['base64,binary', 'binary'],
  [' chat ,\tbinary ', 'binary'],
  ['base64', 'base64'],
  ['chat, base64', 'base64'],
  ['chat', undefined],
  ['Binary', undefined],
  ['binary2', undefined],
]) {
  test(`subprotocols ${offered === undefined ? 'absent' : `"${offered}"`}: ${selected ?? 'none'} selected`, async (t) => {
    assert.equal((await open(t, { protocols: offered })).protocol, selected);
  });
}

test('subprotocols in two header lines are one list', async (t) => {
  const answer = await ask(t, { headers: { 'Sec-WebSocket-Protocol': 'chat', 'sec-websocket-protocol': 'binary' } });
  assert.equal(answer.headers['sec-websocket-protocol'], 'binary');
});

test('bytes in the same segment as the handshake are kept', async (t) => {
  const client = await open(t, { first: Buffer.concat([frame(Op.binary, 'early '), frame(Op.binary, 'bird')]) });
  assert.equal(String(await client.bytes(10)), 'early bird');
});

test('half a frame in the same segment as the handshake is kept', async (t) => {
  const whole = frame(Op.binary, 'x'.repeat(300));
  const client = await open(t, { first: whole.subarray(0, 3) });
  await client.write(whole.subarray(3));
  assert.equal((await client.bytes(300)).length, 300);
});

for (const protocols of [undefined, 'binary', 'chat']) {
  test(`payloads of every length class arrive, subprotocol ${protocols ?? 'absent'}`, async (t) => {
    const client = await open(t, { protocols });
    for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1 << 20]) {
      const payload = randomBytes(size);
      await client.send(payload);
      assert.ok((await client.bytes(size)).equals(payload), `${size} bytes`);
    }
  });
}

test('data frames that arrive are final, binary and not empty', async (t) => {
  const client = await open(t);
  const sent = client.send(randomBytes(1 << 20));
  let have = 0;
  while (have < 1 << 20) {
    const { fin, opcode, payload } = await client.frame();
    assert.ok(fin);
    assert.equal(opcode, Op.binary);
    assert.ok(payload.length > 0);
    have += payload.length;
  }
  await sent;
});

test('frames split at every byte arrive unchanged', async (t) => {
  const client = await open(t);
  const stream = Buffer.concat([
    frame(Op.binary, 'one'), frame(Op.binary, ''), frame(Op.ping, 'p'), frame(Op.binary, 'y'.repeat(200)), frame(Op.binary, 'end', { fin: false }),
    frame(Op.continuation, 'less'),
  ]);
  for (const byte of stream) await client.write(Buffer.from([byte]));
  assert.equal(String(await client.bytes(3 + 200 + 7)), `one${'y'.repeat(200)}endless`);
});

test('a message in pieces, with a ping between them, is one stream of bytes', async (t) => {
  const client = await open(t);
  await client.write(Buffer.concat([
    frame(Op.binary, '', { fin: false }),
    frame(Op.continuation, 'frag', { fin: false }),
    frame(Op.ping, 'between'),
    frame(Op.continuation, '', { fin: false }),
    frame(Op.continuation, 'mented'),
  ]));
  let pong;
  let text = '';
  while (!pong || text.length < 10) {
    const next = await client.frame();
    if (next.opcode === Op.pong) pong = String(next.payload);
    else text += next.payload;
  }
  assert.equal(text, 'fragmented');
  assert.equal(pong, 'between');
});

test('masks of all kinds are undone, whatever the alignment', async (t) => {
  const client = await open(t);
  for (const mask of [Buffer.from([0, 0, 0, 0]), Buffer.from([1, 2, 3, 4]), Buffer.from([255, 0, 255, 128])]) {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1001]) {
      const payload = randomBytes(size);
      await client.send(payload, { mask });
      assert.ok((await client.bytes(size)).equals(payload), `${size} bytes`);
    }
  }
});

test('pings of 0 to 125 bytes come back as pongs with the same bytes', async (t) => {
  const client = await open(t);
  for (const size of [0, 1, 124, 125]) {
    const payload = randomBytes(size);
    await client.write(frame(Op.ping, payload));
    const answer = await client.frame();
    assert.equal(answer.opcode, Op.pong);
    assert.ok(answer.payload.equals(payload));
  }
});

test('a pong nobody asked for is ignored', async (t) => {
  const client = await open(t);
  await client.write(frame(Op.pong, 'unasked'));
  await client.send('go on');
  assert.equal(String(await client.data()), 'go on');
});

test('a flood of pings whose pongs are never read does not grow the daemon', async (t) => {
  const client = await open(t);
  await client.send('x');
  await client.data();
  const before = proxy.rss();
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => frame(Op.ping, randomBytes(125))));
  let written = 0;
  const stuck = Symbol('stuck');
  while (written < 500) {
    const done = client.write(flood).then(() => null, () => stuck);
    const late = new Promise((resolve) => setTimeout(() => resolve(stuck), 300));
    if ((await Promise.race([done, late])) === stuck) break;
    written++;
  }
  if (!sanitized) assert.ok(proxy.rss() - before < 4096, `grew by ${proxy.rss() - before} KiB`);
});

test('a message of fragments without an end is relayed as it comes and does not grow the daemon', async (t) => {
  const client = await open(t);
  await client.send('x', { fin: false });
  await client.bytes(1);
  const before = proxy.rss();
  const payload = randomBytes(1000);
  const some = Buffer.concat(Array(1000).fill(frame(Op.continuation, payload, { fin: false })));
  const expected = Buffer.concat(Array(1000).fill(payload));
  for (let i = 0; i < 16; i++) {
    const writing = client.write(some);
    assert.ok((await client.bytes(expected.length)).equals(expected));
    await writing;
  }
  if (!sanitized) assert.ok(proxy.rss() - before < 4096, `grew by ${proxy.rss() - before} KiB`);
});

for (const code of [1000, 1001, 1003, 1007, 1011, 3000, 4999]) {
  test(`Close ${code} is echoed and the connection ends`, async (t) => {
    const client = await open(t);
    await client.close(code, 'bye');
    assert.equal((await client.closed()).code, code);
    assert.equal((await client.reader.rest()).length, 0);
  });
}

test('a Close without a code is answered with a valid one or none', async (t) => {
  const client = await open(t);
  await client.write(frame(Op.close));
  assert.ok([1000, 1005].includes((await client.closed()).code));
  assert.equal((await client.reader.rest()).length, 0);
});

for (const [what, payload] of [
  ['a Close with half a code', Buffer.from([3])],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code) => [`Close ${code}, which may not be sent`, closePayload(code)]),
]) {
  test(`${what}: 1002`, async (t) => {
    const client = await open(t);
    await client.write(frame(Op.close, payload));
    assert.equal((await client.closed()).code, 1002);
  });
}

for (const [what, reason] of [
  ['an overlong form', [0xc0, 0x80]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a cut sequence', [0x61, 0xe2, 0x82]],
  ['a value past U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
]) {
  test(`a Close reason with ${what}: 1007`, async (t) => {
    const client = await open(t);
    await client.write(frame(Op.close, Buffer.concat([closePayload(1000), Buffer.from(reason)])));
    assert.equal((await client.closed()).code, 1007);
  });
}

for (const [what, bytes] of [
  ['an unmasked frame', () => frame(Op.binary, 'x', { masked: false })],
  ['an unmasked Close', () => frame(Op.close, closePayload(1000), { masked: false })],
  ['reserved bit 1', () => frame(Op.binary, 'x', { rsv: 4 })],
  ['reserved bit 2', () => frame(Op.binary, 'x', { rsv: 2 })],
  ['reserved bit 3', () => frame(Op.ping, 'x', { rsv: 1 })],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, () => frame(opcode, 'x')]),
  ['a ping of 126 bytes', () => frame(Op.ping, Buffer.alloc(126))],
  ['a Close of 126 bytes', () => frame(Op.close, Buffer.concat([closePayload(1000), Buffer.alloc(124, 'x')]))],
  ['a ping in pieces', () => frame(Op.ping, 'x', { fin: false })],
  ['a continuation of nothing', () => frame(Op.continuation, 'x')],
  ['a new message inside another', () => Buffer.concat([frame(Op.binary, 'x', { fin: false }), frame(Op.binary, 'y')])],
  ['5 bytes with the 16-bit length', () => frame(Op.binary, 'hello', { lengthForm: 16 })],
  ['5 bytes with the 64-bit length', () => frame(Op.binary, 'hello', { lengthForm: 64 })],
  ['65535 bytes with the 64-bit length', () => frame(Op.binary, Buffer.alloc(65535), { lengthForm: 64 })],
  ['a length with the top bit', () => Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])],
]) {
  test(`${what}: 1002, and the connection ends`, async (t) => {
    const client = await open(t);
    await client.write(bytes());
    assert.equal((await client.closed()).code, 1002);
    await client.finish();
  });
}

test('a frame that claims 2^62 bytes costs no memory', async (t) => {
  const client = await open(t);
  const before = proxy.rss();
  await client.write(Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  await client.write(Buffer.alloc(1000, 'z'));
  // It may be refused, or relayed piece by piece as the bytes it says it is.
  const next = await client.frame();
  if (next.opcode === Op.close) assert.ok([1002, 1009].includes(next.payload.readUInt16BE()));
  else assert.equal(next.opcode, Op.binary);
  if (!sanitized) assert.ok(proxy.rss() - before < 2048);
});

for (const protocols of [undefined, 'binary', 'chat']) {
  test(`text with subprotocol ${protocols ?? 'absent'}: 1003`, async (t) => {
    const client = await open(t, { protocols });
    await client.write(frame(Op.text, 'hello'));
    assert.equal((await client.closed()).code, 1003);
    await client.finish();
  });
}

test('what came before a violation is still delivered', async (t) => {
  const server = await startServer(t);
  const other = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: other.port });
  await client.write(Buffer.concat([frame(Op.binary, 'good'), frame(Op.binary, 'bad', { masked: false })]));
  assert.equal((await client.closed()).code, 1002);
  assert.equal(String(await (await server.nextReader()).rest({ resetOk: true })), 'good');
});

test('under base64 both ways are text frames that carry base64', async (t) => {
  const client = await open(t, { protocols: 'base64' });
  for (const size of [1, 2, 3, 4, 100, 1000, 65535, 100_000]) {
    const payload = randomBytes(size);
    await client.write(frame(Op.text, payload.toString('base64')));
    let have = Buffer.alloc(0);
    while (have.length < size) {
      const next = await client.frame();
      assert.equal(next.opcode, Op.text);
      const text = String(next.payload);
      assert.match(text, /^[A-Za-z0-9+/]+={0,2}$/);
      assert.equal(text.length % 4, 0);
      have = Buffer.concat([have, Buffer.from(text, 'base64')]);
    }
    assert.ok(have.equals(payload), `${size} bytes`);
  }
});

test('base64 cut anywhere between frames and fragments still decodes', async (t) => {
  const client = await open(t, { protocols: 'base64' });
  const payload = randomBytes(30);
  const text = payload.toString('base64');
  await client.write(Buffer.concat([
    frame(Op.text, text.slice(0, 5), { fin: false }), frame(Op.continuation, text.slice(5, 7), { fin: false }), frame(Op.continuation, text.slice(7)),
  ]));
  let have = Buffer.alloc(0);
  while (have.length < 30) have = Buffer.concat([have, Buffer.from(String(await client.data()), 'base64')]);
  assert.ok(have.equals(payload));
});

for (const [what, bytes] of [
  ['letters outside the alphabet', () => frame(Op.text, 'ab!d')],
  ['padding in the middle', () => frame(Op.text, 'ab==cdef')],
  ['a length that is no multiple of four', () => frame(Op.text, 'abcde')],
  ['a line break', () => frame(Op.text, 'abcd\nefgh')],
]) {
  test(`${what} under base64: closed with 1007 or 1003`, async (t) => {
    const client = await open(t, { protocols: 'base64' });
    await client.write(bytes());
    assert.ok([1003, 1007].includes((await client.closed()).code));
  });
}

test('bytes that are no frames at all close only their own session', async (t) => {
  const bystander = await open(t);
  for (let seed = 0; seed < 40; seed++) {
    const client = await open(t);
    const noise = createHash('sha512').update(String(seed)).digest();
    await client.write(noise).catch(() => {});
    client.socket.end();
    await client.reader.rest({ resetOk: true });
  }
  await bystander.send('unharmed');
  assert.equal(String(await bystander.data()), 'unharmed');
});

test('a client that vanishes in the middle of a frame frees its server', async (t) => {
  const server = await startServer(t);
  const other = await Proxy.start(t, server.port);
  const client = await WebSocketClient.open(t, { port: other.port });
  await client.write(frame(Op.binary, 'x'.repeat(1000)).subarray(0, 500));
  const target = await server.nextReader();
  client.socket.resetAndDestroy();
  await target.rest({ resetOk: true });
  assert.match((await other.logged(/\] closed /))[0], /reason="/);
});

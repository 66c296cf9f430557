// The cases of the Autobahn test plan (sections 1 to 7, 9 and 10) by their numbers, transposed to a relay of bytes:
// what it asks of an echoed message is asked of the bytes that the target got and sent back. Frames that come
// back may be cut elsewhere, and text frames (section 6) are refused with 1003, for a desktop has none.
// Behind each violation stands data that must not reach the target, whose bytes are compared.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test from 'node:test';
import { Proxy, sanitized } from './support/proxy.mjs';
import { fileScope, within } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { Op, WebSocketClient, closePayload, frame } from './support/websocket.mjs';

const scope = fileScope();
const echo = await startEcho(scope);
const echoing = await Proxy.shared(scope, echo.port);
const sink = await startServer(scope);
const sinking = await Proxy.shared(scope, sink.port);

const more = { fin: false };
const binary = (payload, options) => frame(Op.binary, payload, options);
const start = (payload) => frame(Op.binary, payload, more);
const middle = (payload) => frame(Op.continuation, payload, more);
const last = (payload) => frame(Op.continuation, payload);
const ping = (payload, options) => frame(Op.ping, payload, options);
const close = (payload) => frame(Op.close, payload);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const quoted = (text) => JSON.stringify(String(text));

/** Writes in pieces of `size` bytes, each a write of its own; whole when there is no size. */
async function writeChopped(client, bytes, size = bytes.length) {
  for (let at = 0; at < bytes.length; at += size) await client.write(bytes.subarray(at, at + size));
}

/** Sends `frames`; the target sends back what it gets, so `payload` has to come, and `pongs` in this order. */
async function echoes(t, frames, payload, { pongs = [], chop, timeout } = {}) {
  const client = await WebSocketClient.open(t, { port: echoing.port, timeout });
  const bytes = Buffer.concat(frames);
  const sent = writeChopped(client, bytes, chop);
  const parts = [];
  const answered = [];
  let have = 0;
  while (have < payload.length || answered.length < pongs.length) {
    const next = await client.frame();
    if (next.opcode === Op.pong) {
      answered.push(next.payload.toString('latin1'));
    } else {
      assert.equal(next.opcode, Op.binary);
      assert.ok(next.fin);
      parts.push(next.payload);
      have += next.payload.length;
    }
  }
  await sent;
  assert.equal(sha256(Buffer.concat(parts)), sha256(payload), `${have} bytes came back`);
  assert.deepEqual(answered, pongs.map((pong) => pong.toString('latin1')));
  await client.close(1000);
  assert.deepEqual(await client.closed(), { code: 1000, reason: '', data: Buffer.alloc(0) });
  assert.equal((await client.reader.rest()).length, 0, 'TCP ends behind the Close');
}

/** Sends `frames`: a Close with `code` comes, TCP ends in time, and the target got `relayed`, then its end. */
async function violates(t, frames, code, { relayed = '', chop, reason } = {}) {
  const client = await WebSocketClient.open(t, { port: sinking.port });
  const target = await sink.nextReader();
  const bytes = Buffer.concat([...frames, binary('behind it'), ping('behind it'), close(closePayload(1000))]);
  await writeChopped(client, bytes, chop).catch(() => {});
  const seen = await client.closed();
  assert.equal(seen.code, code);
  if (reason !== undefined) assert.equal(seen.reason, reason);
  const rest = await within(3000, 'the end of TCP', client.reader.rest({ resetOk: true }));
  assert.equal(rest.length, 0, 'nothing comes behind the Close');
  const got = await within(3000, 'the end at the target', target.rest({ resetOk: true }));
  assert.equal(String(got), relayed, 'nothing behind the violation is relayed');
  target.socket.end();
}

// --- 1: framing ---

for (const [number, size] of [['1.2.1', 0], ['1.2.2', 125], ['1.2.3', 126], ['1.2.4', 127], ['1.2.5', 128], ['1.2.6', 65535], ['1.2.7', 65536]]) {
  test(`${number}: a message of ${size} bytes`, (t) => {
    const payload = randomBytes(size);
    return echoes(t, [binary(payload)], payload);
  });
}
test('1.2.8: 65536 bytes in chops of 997', (t) => {
  const payload = randomBytes(65536);
  return echoes(t, [binary(payload)], payload, { chop: 997 });
});
for (const [number, size] of [['1.1.1', 0], ['1.1.2', 125], ['1.1.6', 65535]]) {
  test(`${number}: text of ${size} bytes is refused with 1003`, (t) => violates(t, [frame(Op.text, '*'.repeat(size))], 1003));
}

// --- 2: pings and pongs ---

const ping125 = randomBytes(125);
test('2.1: a ping without payload', (t) => echoes(t, [ping('')], Buffer.alloc(0), { pongs: [Buffer.alloc(0)] }));
test('2.2: a ping with text', (t) => echoes(t, [ping('Hello')], Buffer.alloc(0), { pongs: [Buffer.from('Hello')] }));
test('2.3: a ping with bytes', (t) => {
  const payload = Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff]);
  return echoes(t, [ping(payload)], Buffer.alloc(0), { pongs: [payload] });
});
test('2.4: a ping of 125 bytes', (t) => echoes(t, [ping(ping125)], Buffer.alloc(0), { pongs: [ping125] }));
test('2.5: a ping of 126 bytes is refused', (t) => violates(t, [ping(Buffer.alloc(126, 0xfe))], 1002));
test('2.6: a ping of 125 bytes, byte by byte', (t) => echoes(t, [ping(ping125)], Buffer.alloc(0), { pongs: [ping125], chop: 1 }));
test('2.7 and 2.8: pongs nobody asked for', (t) => echoes(t, [frame(Op.pong), frame(Op.pong, 'unsolicited')], Buffer.alloc(0)));
test('2.9: a pong, then a ping', (t) => echoes(t, [frame(Op.pong, 'unsolicited'), ping('ping')], Buffer.alloc(0), { pongs: [Buffer.from('ping')] }));
for (const [number, chop] of [['2.10', undefined], ['2.11', 1]]) {
  test(`${number}: ten pings${chop ? ', byte by byte' : ''}`, (t) => {
    const payloads = Array.from({ length: 10 }, (_, i) => Buffer.from(`payload-${i}`));
    return echoes(t, payloads.map((payload) => ping(payload)), Buffer.alloc(0), { pongs: payloads, chop });
  });
}

// --- 3: reserved bits ---

for (const [number, frames, relayed] of [
  ['3.1', [binary('x', { rsv: 1 })], ''],
  ['3.2', [binary('good'), binary('x', { rsv: 2 }), ping('')], 'good'],
  ['3.3', [binary('good'), binary('x', { rsv: 3 }), ping('')], 'good'],
  ['3.4', [binary('good'), binary('x', { rsv: 4 }), ping('')], 'good'],
  ['3.5', [binary(randomBytes(8), { rsv: 5 })], ''],
  ['3.6', [ping('x', { rsv: 6 })], ''],
  ['3.7', [frame(Op.close, closePayload(1000), { rsv: 7 })], ''],
  ['3.2 inside a message', [start('one'), frame(Op.continuation, 'x', { rsv: 2 })], 'one'],
]) {
  for (const chop of [undefined, 1]) {
    test(`${number}: reserved bits${chop ? ', byte by byte' : ''}: 1002`, (t) => violates(t, frames, 1002, { relayed, chop }));
  }
}

// --- 4: reserved opcodes ---

for (const [group, opcodes] of [['4.1', [3, 4, 5, 6, 7]], ['4.2', [11, 12, 13, 14, 15]]]) {
  opcodes.forEach((opcode, i) => {
    test(`${group}.${i + 1}: opcode ${opcode}: 1002`, (t) => violates(t, [binary('good'), frame(opcode, i % 2 ? 'x' : '')], 1002, { relayed: 'good' }));
  });
}

// --- 5: fragmentation ---

for (const [number, frames, pongs, chop] of [
  ['5.3', [start('fragment1'), last('fragment2')], [], undefined],
  ['5.4', [start('fragment1'), last('fragment2')], [], 9],
  ['5.5', [start('fragment1'), last('fragment2')], [], 1],
  ['5.6', [start('fragment1'), ping('ping'), last('fragment2')], ['ping'], undefined],
  ['5.7', [start('fragment1'), ping('ping'), last('fragment2')], ['ping'], 9],
  ['5.8', [start('fragment1'), ping('ping'), last('fragment2')], ['ping'], 1],
  ['5.19', [start('frag'), middle('ment'), ping('ping 1'), middle('1frag'), middle('ment'), ping('ping 2'), last('2')], ['ping 1', 'ping 2'], undefined],
  ['5.20', [start('frag'), middle('ment'), ping('ping 1'), middle('1frag'), middle('ment'), ping('ping 2'), last('2')], ['ping 1', 'ping 2'], 1],
  ['5.3 with empty fragments', [start(''), middle(''), middle('fragment1fragment2'), middle(''), last('')], [], undefined],
]) {
  test(`${number}: fragments${pongs.length ? ' with pings between them' : ''}${chop ? `, in chops of ${chop}` : ''}`, (t) =>
    echoes(t, frames, Buffer.from('fragment1fragment2'), { pongs: pongs.map((pong) => Buffer.from(pong)), chop }));
}
for (const [number, frames, relayed = ''] of [
  ['5.1: a ping in two fragments', [ping('fragment1', more), last('fragment2')]],
  ['5.2: a pong in two fragments', [frame(Op.pong, 'fragment1', more), last('fragment2')]],
  ['5.9: a continuation of nothing, final', [last('non-continuation'), binary('x')]],
  ['5.10: the same in the middle of good messages', [binary('good'), last('x'), binary('y')], 'good'],
  ['5.12: a continuation of nothing, not final', [middle('non-continuation'), binary('x')]],
  ['5.15: a continuation behind a whole message', [start('f1'), last('f2'), middle('f3'), binary('f4', more), last('f5')], 'f1f2'],
  ['5.16: continuations of nothing, again and again', [middle('f1'), binary('f2', more), last('f3')]],
  ['5.17: final continuations of nothing', [last('f1'), binary('f2', more), last('f3')]],
  ['5.18: a new message inside another', [start('fragment1'), binary('fragment2')], 'fragment1'],
  ['5: a Close in two fragments', [frame(Op.close, closePayload(1000), more), last('x')]],
]) {
  for (const chop of [undefined, 1]) {
    test(`${number}${chop ? ', byte by byte' : ''}: 1002`, (t) => violates(t, frames, 1002, { relayed, chop }));
  }
}

// --- 6: text, valid UTF-8 or not ---

for (const [number, frames] of [
  ['6.1.1: empty', [frame(Op.text)]],
  ['6.2.1: valid', [frame(Op.text, 'Hello-µ@ßöäüàá-UTF-8!!')]],
  ['6.2.2: valid in fragments', [frame(Op.text, 'Hello-µ', more), last('@ß')]],
  ['6.3.1: invalid', [frame(Op.text, Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'))]],
  ['6.4.1: invalid in fragments', [frame(Op.text, Buffer.from('cebae1bdb9', 'hex'), more), last(Buffer.from('f4908080', 'hex'))]],
]) {
  test(`${number} text is refused with 1003, whatever is in it`, (t) => violates(t, frames, 1003));
}

// --- 7: closing ---

/** A good Close: echoed, TCP ends, nothing behind it is relayed. */
async function closes(t, payload, { before = [], relayed = '', code, reason = '', chop } = {}) {
  await violates(t, [...before, close(payload)], code, { relayed, chop, reason });
}

test('7.1.1: a message, then a Close', (t) => closes(t, closePayload(1000), { before: [binary('Hello')], relayed: 'Hello', code: 1000 }));
test('7.1.2: two Closes', (t) => closes(t, closePayload(1000), { code: 1000 }));
test('7.1.3 and 7.1.4: a ping and data behind a Close are ignored', async (t) => {
  const client = await WebSocketClient.open(t, { port: sinking.port });
  const target = await sink.nextReader();
  await client.write(Buffer.concat([close(closePayload(1000)), ping('x'), binary('late')]));
  assert.equal((await client.closed()).code, 1000);
  assert.equal((await client.reader.rest({ resetOk: true })).length, 0);
  assert.equal((await target.rest()).length, 0);
  target.socket.end();
});
test('7.1.5: a Close inside a message', (t) => closes(t, closePayload(1000), { before: [start('fragment1')], relayed: 'fragment1', code: 1000 }));
test('7.1.6: 256 KiB, a small message, a Close, a ping: all that came before the Close arrives', async (t) => {
  const client = await WebSocketClient.open(t, { port: sinking.port });
  const target = await sink.nextReader();
  const big = randomBytes(256 * 1024);
  await client.write(Buffer.concat([binary(big), binary('Hello'), close(closePayload(1000)), ping('late')]));
  const got = await target.rest();
  assert.equal(sha256(got), sha256(Buffer.concat([big, Buffer.from('Hello')])));
  assert.equal((await client.closed()).code, 1000);
  target.socket.end();
});
test('7.3.1: a Close without payload is answered with one', (t) => closes(t, Buffer.alloc(0), { code: 1005 }));
test('7.3.2: a Close of one byte: 1002', (t) => violates(t, [close('a')], 1002));
test('7.3.3: a Close with a code', (t) => closes(t, closePayload(1000), { code: 1000 }));
test('7.3.4: a code and a reason', (t) => closes(t, closePayload(1000, 'Hello World!'), { code: 1000, reason: 'Hello World!' }));
test('7.3.5: a reason of 123 bytes, byte by byte', (t) => closes(t, closePayload(1000, '*'.repeat(123)), { code: 1000, reason: '*'.repeat(123), chop: 1 }));
test('7.3.6: a reason of 124 bytes: 1002', (t) => violates(t, [close(closePayload(1000, '*'.repeat(124)))], 1002));

for (const [what, hex] of [
  ['7.5.1: the plan\'s own', 'cebae1bdb9cf83cebcceb5eda080656469746564'],
  ['a lone continuation byte', '80'],
  ['a lead byte alone', 'c3'],
  ['an overlong slash', 'c0af'],
  ['an overlong NUL', 'c080'],
  ['three bytes for two', 'e08080'],
  ['four bytes for three', 'f0808080'],
  ['a high surrogate', 'eda080'],
  ['a pair of surrogates', 'eda080edb080'],
  ['beyond U+10FFFF', 'f4908080'],
  ['a five-byte form', 'f888808080'],
  ['FE', 'fe'],
  ['FF', 'ff'],
  ['cut at its end', '61e282'],
]) {
  test(`a reason that is not UTF-8 (${what}): 1007`, (t) => violates(t, [close(Buffer.concat([closePayload(1000), Buffer.from(hex, 'hex')]))], 1007));
}
for (const reason of ['é', '€', '\u{10ffff}', '\0', '\ud7ff\ue000', '\ufffe\uffff', '日本語'.repeat(13)]) {
  test(`the reason ${quoted(reason)} is UTF-8 and comes back`, (t) => closes(t, closePayload(1000, reason), { code: 1000, reason }));
}
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  test(`7.7: Close ${code} comes back`, (t) => closes(t, closePayload(code), { code }));
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
  test(`7.9, 7.13: Close ${code} may not be sent: 1002`, (t) => violates(t, [close(closePayload(code))], 1002));
}

// --- 9: limits ---

const MiB = 1 << 20;
const bigSizes = sanitized ? [64 * 1024, MiB] : [64 * 1024, 256 * 1024, MiB, 4 * MiB, 8 * MiB];
bigSizes.forEach((size, i) => {
  test(`9.2.${i + 1}: a message of ${size / 1024} KiB`, (t) => {
    const payload = randomBytes(size);
    return echoes(t, [binary(payload)], payload, { timeout: 30_000 });
  });
});
test('9.2.6: a message of 16 MiB in odd chops, byte for byte', (t) => {
  const payload = randomBytes(16 * MiB);
  return echoes(t, [binary(payload)], payload, { chop: 65_537 + 97, timeout: 60_000 });
});
for (const size of sanitized ? [64, 4096] : [64, 256, 1024, 4096, 16_384, 65_536, 262_144, MiB]) {
  test(`9.4: 4 MiB in fragments of ${size} bytes`, (t) => {
    const payload = randomBytes(sanitized ? MiB : 4 * MiB);
    const frames = [];
    for (let at = 0; at < payload.length; at += size) {
      const piece = payload.subarray(at, at + size);
      frames.push(frame(at === 0 ? Op.binary : Op.continuation, piece, { fin: at + size >= payload.length }));
    }
    return echoes(t, frames, payload, { timeout: 30_000 });
  });
}
for (const chop of [64, 128, 256, 512, 1024, 2048]) {
  test(`9.6: 1 MiB in chops of ${chop} bytes`, (t) => {
    const payload = randomBytes(MiB);
    return echoes(t, [binary(payload)], payload, { chop, timeout: 30_000 });
  });
}
for (const size of [0, 16, 64, 256, 1024, 4096]) {
  test(`9.8: 1000 messages of ${size} bytes`, (t) => {
    const payload = randomBytes(1000 * size);
    return echoes(t, Array.from({ length: 1000 }, (_, i) => binary(payload.subarray(i * size, (i + 1) * size))), payload, { timeout: 30_000 });
  });
}
test('100,000 messages of one byte in one write', (t) => {
  const payload = randomBytes(100_000);
  return echoes(t, Array.from(payload, (byte) => binary([byte])), payload, { timeout: 60_000 });
});
test('100,000 empty frames in one write, then a byte', (t) => {
  const empty = binary('');
  return echoes(t, [...Array.from({ length: 100_000 }, () => empty), binary('x')], Buffer.from('x'), { timeout: 60_000 });
});
test('a message of 100,000 fragments of one byte in one write', (t) => {
  const payload = randomBytes(100_000);
  return echoes(t, [start(''), ...Array.from(payload, (byte) => middle([byte])), last('')], payload, { timeout: 60_000 });
});

// --- 10: fragments made by a library ---

test('10.1.1: 65536 bytes, fragments of 1300', (t) => {
  const payload = randomBytes(65536);
  const frames = [];
  for (let at = 0; at < payload.length; at += 1300) {
    frames.push(frame(at === 0 ? Op.binary : Op.continuation, payload.subarray(at, at + 1300), { fin: at + 1300 >= payload.length }));
  }
  return echoes(t, frames, payload);
});

// --- beyond the plan: section 5.2's lengths and masks ---

for (const [what, bytes] of [
  ['no mask', binary('x', { masked: false })],
  ['no mask on a ping', ping('x', { masked: false })],
  ['no mask on a Close', frame(Op.close, closePayload(1000), { masked: false })],
  ['125 bytes with the 16-bit length', binary(Buffer.alloc(125), { lengthForm: 16 })],
  ['no bytes with the 16-bit length', binary('', { lengthForm: 16 })],
  ['no bytes with the 64-bit length', binary('', { lengthForm: 64 })],
  ['65535 bytes with the 64-bit length', binary(Buffer.alloc(65535), { lengthForm: 64 })],
  ['a ping with the 16-bit length', ping('x', { lengthForm: 16 })],
  ['a ping with the 64-bit length', ping('x', { lengthForm: 64 })],
  ['the top bit of the length', Buffer.from('82ff8000000000000001', 'hex')],
  ['all bits of the length', Buffer.from('82ffffffffffffffffff', 'hex')],
]) {
  for (const chop of [undefined, 1]) {
    test(`${what}${chop ? ', byte by byte' : ''}: 1002`, (t) =>
      violates(t, [binary('good'), bytes], 1002, { relayed: 'good', chop: bytes.length > 1000 ? undefined : chop }));
  }
}

test('behind a violation TCP ends in time though the client goes on sending and reads nothing', async (t) => {
  const client = await WebSocketClient.open(t, { port: sinking.port });
  const target = await sink.nextReader();
  await client.write(frame(3));
  const flood = binary(Buffer.alloc(65_536));
  const flooding = async () => {
    for (;;) await client.write(flood);
  };
  await assert.rejects(within(5000, 'the end of a connection that is flooded', flooding()), /EPIPE|ECONNRESET/);
  assert.equal((await target.rest({ resetOk: true })).length, 0);
  target.socket.end();
});

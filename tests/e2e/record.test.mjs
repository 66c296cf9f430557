// --record: what is in the files, and that they can be played back.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import vm from 'node:vm';
import { startTigerVnc } from './support/desktop.mjs';
import { Proxy, runToEnd } from './support/proxy.mjs';
import { handshake, wholePicture } from './support/rfb.mjs';
import { tempDir, until } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { Op, WebSocketClient } from './support/websocket.mjs';

/** A recording as noVNC's player reads it: by loading it as a script. */
function play(text) {
  const context = vm.createContext({});
  new vm.Script(text).runInContext(context);
  const frames = [...context.VNC_frame_data];
  assert.equal(frames.pop(), 'EOF');
  const entries = frames.map((frame) => {
    const [, mark, time, data] = /^([{}])(\d+)\1([^]*)$/.exec(frame) ?? assert.fail(`no frame: ${JSON.stringify(frame.slice(0, 80))}`);
    return { fromTarget: mark === '{', time: Number(time), data: Buffer.from(data, 'latin1') };
  });
  const all = (fromTarget) => Buffer.concat(entries.filter((entry) => entry.fromTarget === fromTarget).map((entry) => entry.data));
  return { entries, server: all(true), client: all(false) };
}

/** A client that keeps every payload byte it is sent. */
async function openRecorded(t, proxy) {
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const parts = [];
  const frame = client.frame.bind(client);
  client.frame = async () => {
    const next = await frame();
    if (next.opcode <= Op.binary) parts.push(next.payload);
    return next;
  };
  client.received = () => Buffer.concat(parts);
  return client;
}

// its writer is a process of its own, which may not even have made it yet
const ended = (file) => until(`the end of ${file}`, () => existsSync(file) && readFileSync(file, 'latin1').endsWith("'EOF'];\n"));

test('a session with TigerVNC plays back byte for byte, keys included', async (t) => {
  const file = path.join(tempDir(t), 'session');
  const desktop = await startTigerVnc(t, { width: 640, height: 480 });
  await desktop.showNoise();
  const proxy = await Proxy.start(t, desktop.port, { args: ['--record', file] });
  const client = await openRecorded(t, proxy);
  await wholePicture(client, await handshake(client));
  const key = Buffer.from([4, 1, 0, 0, 0, 0, 0, 0x61, 4, 0, 0, 0, 0, 0, 0, 0x61]);
  await client.send(key);
  await client.close();
  await client.closed();
  await ended(`${file}.1`);
  const { entries, server, client: sent } = play(readFileSync(`${file}.1`, 'latin1'));
  assert.ok(server.equals(client.received()), `${server.length} recorded, ${client.received().length} received`);
  assert.ok(sent.subarray(0, 12).equals(Buffer.from('RFB 003.008\n')));
  assert.ok(sent.subarray(-16).equals(key));
  for (let i = 1; i < entries.length; i++) assert.ok(entries[i].time >= entries[i - 1].time);
  assert.ok(entries.at(-1).time < 60_000);
  assert.equal(statSync(`${file}.1`).mode & 0o777, 0o600);
  await proxy.logged(/recorded in .*session\.1$/);
});

test('all byte values in both directions', async (t) => {
  const file = path.join(tempDir(t), 'session');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: [`--record=${file}`] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await client.send(bytes);
  assert.ok((await client.bytes(256)).equals(bytes));
  await client.close();
  await client.closed();
  await ended(`${file}.1`);
  const { server, client: sent } = play(readFileSync(`${file}.1`, 'latin1'));
  assert.ok(server.equals(bytes) && sent.equals(bytes));
});

test('a file that is there is left alone, pages take no number, and a stop ends the recording', async (t) => {
  const folder = tempDir(t);
  const file = path.join(folder, 'session');
  writeFileSync(`${file}.1`, 'precious');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--record', file] });
  await runToEnd(t, ['--version']);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.send('x');
  await client.bytes(1);
  await proxy.stop();
  await ended(`${file}.2`);
  assert.equal(readFileSync(`${file}.1`, 'utf8'), 'precious');
  assert.equal(play(readFileSync(`${file}.2`, 'latin1')).server.toString(), 'x');
  assert.deepEqual(readdirSync(folder).sort(), ['session.1', 'session.2']);
});

test('killed with SIGKILL: what there was up to then plays back', async (t) => {
  const file = path.join(tempDir(t), 'session');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--record', file] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const bytes = Buffer.alloc(300_000, 'abc\'\\\n');
  await client.send(bytes);
  assert.ok((await client.bytes(bytes.length)).equals(bytes));
  proxy.stopped = Promise.resolve(0);
  proxy.child.kill('SIGKILL');
  await proxy.child.exited;
  await ended(`${file}.1`);
  const { server, client: sent } = play(readFileSync(`${file}.1`, 'latin1'));
  assert.ok(server.equals(bytes) && sent.equals(bytes));
});

/** The process that writes recordings. */
function writerOf(proxy) {
  const children = readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'utf8').trim().split(' ');
  const pid = children.find((child) => readFileSync(`/proc/${child}/comm`, 'utf8') === 'wsproxy-record\n');
  assert.ok(pid, 'there is no writer process');
  return Number(pid);
}

test('a writer that stands still holds the session back, loses nothing, and nobody else waits', async (t) => {
  const file = path.join(tempDir(t), 'session');
  const size = 16 << 20;
  const server = await startServer(t, (socket) => {
    socket.resume();
    socket.write(Buffer.alloc(size, 'noise'));
  });
  const proxy = await Proxy.start(t, server.port, { args: ['--record', file] });
  const writer = writerOf(proxy);
  process.kill(writer, 'SIGSTOP');
  t.after(() => {
    if (!proxy.ended) process.kill(writer, 'SIGCONT');
  });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  let got = 0;
  const reading = (async () => {
    while (got < size) got += (await client.data()).length;
  })();
  reading.catch(() => {});
  let before = -1;
  await until('the session to stand still', () => before === (before = got) && got > 0, { every: 300 });
  assert.ok(got < size / 2, `${got} bytes came through`);
  assert.equal((await fetch(proxy.url)).status, 200);
  process.kill(writer, 'SIGCONT');
  await reading;
  await client.close();
  await client.closed();
  await ended(`${file}.1`);
  assert.equal(play(readFileSync(`${file}.1`, 'latin1')).server.length, size);
});

test('a writer that dies ends the recording, not the session', async (t) => {
  const file = path.join(tempDir(t), 'session');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--record', file] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await proxy.logged(/recorded in .*session\.1$/);
  process.kill(writerOf(proxy), 'SIGKILL');
  await proxy.logged(/the writer of recordings died/);
  await client.send('still here');
  assert.equal(String(await client.bytes(10)), 'still here');
  const next = await WebSocketClient.open(t, { port: proxy.port });
  await next.send('next');
  await next.bytes(4);
  await proxy.stop();
  await ended(`${file}.2`);
  assert.equal(play(readFileSync(`${file}.2`, 'latin1')).server.toString(), 'next');
});

test('a folder that is not there: exit 1, naming option and folder', async (t) => {
  const { code, stderr } = await runToEnd(t, ['--record=/nonexistent/session', '127.0.0.1:0', 'localhost:5900']);
  assert.equal(code, 1);
  assert.match(stderr, /--record: cannot write to \/nonexistent: no such file or directory/);
});

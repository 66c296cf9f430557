// Unix sockets on either side: who may connect, and what becomes of the file.
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { startTigerVnc } from './support/desktop.mjs';
import { HttpClient } from './support/http.mjs';
import { binary, runToEnd } from './support/proxy.mjs';
import { handshake, wholePicture } from './support/rfb.mjs';
import { fileScope, start, tempDir, until, within } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const scope = fileScope();
const echo = await startEcho(scope);

/** Starts the daemon with nothing but a Unix socket to listen on, and waits until it is ready. */
async function startOn(t, file, { args = [], target = `127.0.0.1:${echo.port}`, umask } = {}) {
  const line = [...args, '--unix-listen', file, target];
  const child = umask === undefined ? start(t, binary, line) : start(t, 'sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', binary, ...line]);
  await until('the ready line', () => child.exitCode !== null || /ready: \S+ -> \S+\n/.test(child.output), { last: () => child.output });
  assert.ok(child.output.includes(`ready: unix:${file} -> `), child.output);
  return child;
}

async function stop(child, signal = 'SIGTERM') {
  child.kill(signal);
  return within(5000, 'the end', child.exited);
}

const modeOf = (file) => (lstatSync(file).mode & 0o7777).toString(8);

async function assertEchoes(t, socketPath) {
  const client = await WebSocketClient.open(t, { socketPath });
  await client.send('hello');
  assert.equal(String(await client.data()), 'hello');
}

test('--unix-listen serves the page and WebSockets, names the client, and removes its file', async (t) => {
  const file = path.join(tempDir(t), 's');
  const child = await startOn(t, file);
  const page = await (await HttpClient.open(t, { socketPath: file })).get('/');
  assert.equal(page.status, 200);
  await assertEchoes(t, file);
  await until('the client by process and user', () => child.output.includes(`unix:pid=${process.pid},uid=${process.getuid()}] open`), {
    last: () => child.output,
  });
  assert.equal((await stop(child)).code, 0);
  assert.ok(!existsSync(file));
});

for (const umask of ['000', '077']) {
  test(`the socket has the mode of --unix-listen-mode, whatever the umask (${umask})`, async (t) => {
    const folder = tempDir(t);
    await startOn(t, path.join(folder, 'default'), { umask });
    assert.equal(modeOf(path.join(folder, 'default')), '600');
    await startOn(t, path.join(folder, 'group'), { umask, args: ['--unix-listen-mode', '660'] });
    assert.equal(modeOf(path.join(folder, 'group')), '660');
    await startOn(t, path.join(folder, 'all'), { umask, args: ['--unix-listen-mode=0666'] });
    assert.equal(modeOf(path.join(folder, 'all')), '666');
  });
}

test('a mode that is no octal number is a usage error', async (t) => {
  const file = path.join(tempDir(t), 's');
  for (const mode of ['rw', '0999', '']) {
    const { code, stderr } = await runToEnd(t, ['--unix-listen', file, `--unix-listen-mode=${mode}`, 'localhost:5900']);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /unix-listen-mode/);
  }
});

test('the file of a daemon that was killed is replaced', async (t) => {
  const file = path.join(tempDir(t), 's');
  await stop(await startOn(t, file), 'SIGKILL');
  assert.ok(existsSync(file));
  await startOn(t, file);
  await assertEchoes(t, file);
});

test('a listener that is alive is left alone', async (t) => {
  const file = path.join(tempDir(t), 's');
  await startOn(t, file);
  const { code, stderr } = await runToEnd(t, ['--unix-listen', file, 'localhost:5900']);
  assert.equal(code, 1);
  assert.ok(stderr.includes(`cannot listen on unix:${file}: address already in use`), stderr);
  await assertEchoes(t, file);
});

test('what is not a socket is never removed', async (t) => {
  const folder = tempDir(t);
  const file = path.join(folder, 'precious');
  writeFileSync(file, 'text');
  const link = path.join(folder, 'link');
  symlinkSync(file, link);
  for (const where of [file, link]) {
    const { code, stderr } = await runToEnd(t, ['--unix-listen', where, 'localhost:5900']);
    assert.equal(code, 1);
    assert.ok(stderr.includes(`cannot listen on unix:${where}, which is not a socket`), stderr);
  }
  assert.equal(readFileSync(file, 'utf8'), 'text');
  assert.ok(lstatSync(link).isSymbolicLink());
});

test('a file that took the place of ours is left at the end', async (t) => {
  const file = path.join(tempDir(t), 's');
  const child = await startOn(t, file);
  const folder = tempDir(t);
  const { rename } = await import('node:fs/promises');
  writeFileSync(path.join(folder, 'new'), 'not yours');
  await rename(path.join(folder, 'new'), file);
  assert.equal((await stop(child)).code, 0);
  assert.equal(readFileSync(file, 'utf8'), 'not yours');
});

test('a path that is too long for a socket is refused', async (t) => {
  const file = path.join(tempDir(t), 'x'.repeat(108));
  const { code, stderr } = await runToEnd(t, ['--unix-listen', file, 'localhost:5900']);
  assert.notEqual(code, 0);
  assert.match(stderr, /1 to 107 bytes/);
});

test('a target that is not there is told in words', async (t) => {
  const folder = tempDir(t);
  const file = path.join(folder, 's');
  await startOn(t, file, { target: `unix:${folder}/none` });
  const client = await WebSocketClient.open(t, { socketPath: file });
  const closed = await client.closed();
  assert.equal(closed.code, 1011);
  assert.match(closed.reason, /cannot reach unix:\S+none: no such file or directory/);
});

test('--unix-target is the same as a target of unix:PATH', async (t) => {
  const folder = tempDir(t);
  const vnc = path.join(folder, 'vnc');
  await startServer(t, (socket) => socket.pipe(socket), { path: vnc });
  const child = start(t, binary, ['--unix-target', vnc, '127.0.0.1:0']);
  const ready = await until('the ready line', () => /ready: 127\.0\.0\.1:(\d+) -> unix:(\S+)\n/.exec(child.output), { last: () => child.output });
  assert.equal(ready[2], vnc);
  const client = await WebSocketClient.open(t, { port: Number(ready[1]) });
  await client.send('hello');
  assert.equal(String(await client.data()), 'hello');
});

test('--unix-listen in front of TigerVNC on a Unix socket: no network at all', async (t) => {
  const folder = tempDir(t);
  const vnc = path.join(folder, 'rfb');
  const file = path.join(folder, 'web');
  const desktop = await startTigerVnc(t, { width: 640, height: 480, args: ['-rfbport', '-1', '-rfbunixpath', vnc] });
  await desktop.showNoise();
  const child = start(t, binary, ['--unix-listen', file, '--unix-target', vnc]);
  await until('the ready line', () => child.output.includes(`ready: unix:${file} -> unix:${vnc}\n`), { last: () => child.output });
  const client = await WebSocketClient.open(t, { socketPath: file });
  const screen = await desktop.picture();
  const picture = await wholePicture(client, await handshake(client));
  for (let i = 0; i < picture.length; i += 4) {
    if (picture.compare(screen.pixels, i, i + 3, i, i + 3) !== 0) assert.fail(`pixel ${i / 4} differs`);
  }
});

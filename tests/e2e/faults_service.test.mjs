// Signals under load and disks that are full: no session is lost by a reload, all are told of the end, and a log that
// cannot be written holds nobody up.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { get } from './support/http.mjs';
import { children } from './support/processes.mjs';
import { Proxy, binary, sanitized } from './support/proxy.mjs';
import { fileScope, run, start, tempDir, until, within } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const scope = fileScope();
const certificate = await makeCertificate(scope);
const text = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

// ---- signals

/** Sends and receives noise without a pause until `.stop()` or the server's Close, which `.closed` gives. */
function keepBusy(client) {
  const noise = randomBytes(8192);
  let stopping = false;
  let sent = 0;
  let received = 0;
  const sending = (async () => {
    while (!stopping) {
      // not faster than it comes back: the point is the count of sessions
      if (sent - received > 4 * noise.length) await new Promise((resolve) => setImmediate(resolve));
      else {
        await client.send(noise);
        sent += noise.length;
      }
    }
  })().catch(() => {});
  const closed = (async () => {
    for (;;) {
      const { opcode, payload } = await client.frame();
      if (opcode === 8) {
        stopping = true;
        return payload.length >= 2 ? payload.readUInt16BE() : 1005;
      }
      if (opcode > 2) continue;
      for (let at = 0; at < payload.length; ) {
        const from = received % noise.length;
        const size = Math.min(payload.length - at, noise.length - from);
        assert.ok(payload.subarray(at, at + size).equals(noise.subarray(from, from + size)), 'what comes back is what was sent');
        at += size;
        received += size;
      }
    }
  })();
  closed.catch(() => {});
  return {
    closed,
    received: () => received,
    async stop() {
      stopping = true;
      await sending;
    },
  };
}

const sessions = sanitized ? 40 : 100;

async function startBusy(t) {
  const echo = await startEcho(t);
  const file = path.join(tempDir(t), 'wsproxy.conf');
  const rewrite = (...more) => writeFileSync(file, ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`, `cert = ${certificate.cert}`, `key = ${certificate.key}`, 'drain-timeout = 4', ...more, ''].join('\n'));
  rewrite();
  const proxy = await Proxy.start(t, '', { argv: ['--config', file] });
  const clients = [];
  for (let i = 0; i < sessions; i++) clients.push(await WebSocketClient.open(t, { port: proxy.port, secure: i % 4 === 0 }));
  return { proxy, rewrite, clients, busy: clients.map(keepBusy) };
}

test(`SIGHUP ten times while ${sessions} sessions are busy and others come: none is lost, nobody is refused`, async (t) => {
  const { proxy, rewrite, busy } = await startBusy(t);
  let coming = true;
  t.after(() => (coming = false));
  let came = 0;
  const newcomers = (async () => {
    for (; coming; came++) {
      const client = await WebSocketClient.open(t, { port: proxy.port, secure: came % 4 === 0 });
      await client.send('new');
      assert.equal(String(await client.bytes(3)), 'new');
      client.socket.destroy();
      assert.equal((await get(t, proxy.port, '/')).status, 200);
    }
  })();
  for (let i = 1; i <= 10; i++) {
    // every third is of no use, and the one before stays in effect
    if (i % 3 === 0) rewrite('heartbeat = often');
    else rewrite(`heartbeat = ${20 + i}`, `log-level = ${i % 2 ? 'debug' : 'info'}`);
    const marks = busy.map(({ received }) => received());
    proxy.child.kill('SIGHUP');
    await until('bytes for every session', () => busy.every(({ received }, n) => received() > marks[n]), { timeout: 20_000 });
  }
  await until('newcomers all the time', () => came >= 10, { timeout: 30_000 });
  coming = false;
  await newcomers;
  assert.match(proxy.log, /reloaded: /);
  assert.match(proxy.log, /heartbeat.*often/);
  let lost = 0;
  for (const { closed } of busy) closed.then(() => lost++, () => lost++);
  await Promise.all(busy.map(({ stop }) => stop()));
  assert.equal(lost, 0);
});

test(`SIGTERM while ${sessions} sessions are busy: each is told 1001, exit 0 in time`, async (t) => {
  const { proxy, busy } = await startBusy(t);
  await until('bytes for every session', () => busy.every(({ received }) => received() > 0), { timeout: 20_000 });
  const began = performance.now();
  const stopped = proxy.stop();
  const codes = await within(10_000, 'a Close for each', Promise.all(busy.map(({ closed }) => closed)));
  assert.deepEqual([...new Set(codes)], [1001]);
  await stopped;
  const took = performance.now() - began;
  assert.ok(took < 4000 + 2000, `took ${took} ms`);
});

// ---- disks

/** A command that gives what follows a file system of `size` at `folder` that nobody else sees; null where that cannot be. */
async function smallDisk(t, folder, size) {
  for (const more of [[], ['--map-root-user']]) {
    const under = ['unshare', '--mount', ...more, 'sh', '-c', `mount -t tmpfs -o size=${size},mode=700 none "$0" && exec "$@"`, folder];
    const { code } = await run(t, under[0], [...under.slice(1), 'true']).catch(() => ({}));
    if (code === 0) return under;
  }
  return null;
}

/** Requests that leave a line of a KiB each. */
const writeLines = async (t, proxy, count) => {
  for (let i = 0; i < count; i++) await get(t, proxy.port, `/none/${'x'.repeat(1000)}`);
};

async function roundTrip(client) {
  await client.send('still there');
  assert.equal(String(await client.bytes(11)), 'still there');
}

test('a disk that is full: sessions go on, standard error says so, and lines are written again when there is room', async (t) => {
  const folder = path.join(tempDir(t), 'disk');
  mkdirSync(folder);
  const under = await smallDisk(t, folder, '256k');
  if (!under) return t.skip('needs a mount namespace');
  const [log, access] = [path.join(folder, 'log'), path.join(folder, 'access')];
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { under, args: ['-v', '--log-file', log, '--access-log', access, '--record', path.join(folder, 'record')] });
  const inside = (file) => `/proc/${proxy.pid}/root${file}`;
  const filler = inside(path.join(folder, 'filler'));
  writeFileSync(filler, Buffer.alloc(128 * 1024));
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await writeLines(t, proxy, 150);
  await proxy.logged(/--log-file .*: lines are lost: no space left on device/);
  await proxy.logged(/--access-log .*: lines are lost: no space left on device/);
  await roundTrip(client);
  const other = await WebSocketClient.open(t, { port: proxy.port });
  await roundTrip(other);
  rmSync(filler);
  await until('lines again, and how many are lost', async () => {
    await writeLines(t, proxy, 1);
    return /\d+ log lines lost: no space left on device/.test(text(inside(log))) && /--access-log .*: \d+ lines lost: no space left on device/.test(proxy.log);
  });
  assert.match(text(inside(access)).split('\n').at(-2), /none/);
  await roundTrip(client);
});

test('a log at the limit of its size (RLIMIT_FSIZE): the same, and nobody dies of SIGXFSZ', async (t) => {
  const log = path.join(tempDir(t), 'log');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { under: ['prlimit', '--fsize=20000:', '--'], args: ['-v', '--log-file', log, '--record', `${log}.record`] });
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.send(Buffer.alloc(50_000)); // too much for the recording as well
  await client.bytes(50_000);
  await writeLines(t, proxy, 40);
  await proxy.logged(/--log-file .*: lines are lost: file too large/);
  await roundTrip(client);
  const writer = children(proxy.pid).find(({ name }) => name === 'wsproxy-log');
  assert.ok(writer, 'the writer is there');
  const raised = await run(t, 'prlimit', ['--pid', String(writer.pid), '--fsize=unlimited:']);
  assert.equal(raised.code, 0, raised.stderr);
  await until('lines again', async () => {
    await writeLines(t, proxy, 1);
    return /\d+ log lines lost: file too large/.test(text(log));
  });
  await roundTrip(client);
});

test('standard error and standard output on a full disk: served all the same', async (t) => {
  const folder = tempDir(t);
  const [log, port] = [path.join(folder, 'log'), path.join(folder, 'ws.sock')];
  const echo = await startEcho(t);
  const child = start(t, 'sh', ['-c', 'exec "$@" >/dev/full 2>&1', 'sh', binary, '--log-file', log, '--access-log', '-', `unix:${port}`, `127.0.0.1:${echo.port}`]);
  await until('its socket', () => existsSync(port), { last: () => text(log) });
  const client = await WebSocketClient.open(t, { socketPath: port, headers: { Host: 'localhost' } });
  await roundTrip(client);
  await client.finish();
  await until('the log file to have it', () => / closed /.test(text(log)), { last: () => text(log) });
  child.kill('SIGTERM');
  assert.deepEqual(await within(5000, 'its end', child.exited), { code: 0, signal: null });
});

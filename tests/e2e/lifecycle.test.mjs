// From the start to the end: signals, reloads, what ends the daemon by itself, heartbeats, --check and --dump-config.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, copyFileSync, createReadStream, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { describe } from 'node:test';
import { HttpClient, get } from './support/http.mjs';
import { Proxy, binary, runToEnd, sanitized } from './support/proxy.mjs';
import { run, scopeOf, start, tempDir, until, untilStill, within } from './support/scope.mjs';
import { refusedPort, startEcho, startGreeter, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { Op, WebSocketClient, connect, parseClose, parseHead, upgradeRequest } from './support/websocket.mjs';

const MiB = 1 << 20;
const text = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

function refuses(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', (error) => resolve(error.code === 'ECONNREFUSED'));
    socket.on('connect', () => resolve(socket.destroy() && false));
  });
}

/** The exit of a proxy that ends by itself or by a signal that was sent. */
async function exitOf(proxy, timeout = 8000) {
  const { code, signal } = await within(timeout, () => `the end of wsproxy; it said:\n${proxy.log}`, proxy.child.exited);
  assert.equal(signal, null);
  return code;
}

/** A client that greets its server no more: nothing it gets is answered. */
const openSession = (t, proxy, options = {}) => WebSocketClient.open(t, { port: proxy.port, ...options });

async function echoes(client, words = 'there and back') {
  await client.send(Buffer.from(words));
  assert.equal(String(await client.bytes(words.length)), words);
}

/** The status that an upgrade is answered with. */
async function upgradeStatus(t, proxy) {
  const client = await HttpClient.open(t, { port: proxy.port });
  const answer = await client.raw(Buffer.from(upgradeRequest({ port: proxy.port })));
  client.socket.destroy();
  return answer;
}

/** Everything that a client gets who takes 64 KiB or less each `every` ms, to the end of the connection. */
async function readSlowly(socket, every) {
  const parts = [];
  socket.removeAllListeners('data');
  socket.on('data', (chunk) => {
    parts.push(chunk);
    socket.pause();
    setTimeout(() => socket.resume(), every);
  });
  socket.resume();
  await within(20_000, 'the end of a slow connection', Promise.race([once(socket, 'end'), once(socket, 'close')]));
  socket.destroy();
  return Buffer.concat(parts);
}

/** Frames as [opcode, size], and the payload of the last. */
function framesOf(bytes) {
  const frames = [];
  let last;
  for (let at = 0; at < bytes.length; ) {
    let [length, head] = [bytes[at + 1], 2];
    if (length === 126) [length, head] = [bytes.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, head] = [Number(bytes.readBigUInt64BE(at + 2)), 10];
    frames.push([bytes[at] & 0x0f, length]);
    last = bytes.subarray(at + head, at + head + length);
    at += head + length;
  }
  return { frames, last };
}

/** A session whose client has stopped reading while its server had much to say. */
async function stalledSession(t, proxy, server) {
  const socket = await connect(t, { port: proxy.port });
  socket.pause();
  socket.write(upgradeRequest({ port: proxy.port }));
  const target = await server.next();
  target.write(Buffer.alloc(16 * MiB));
  await untilStill("the server's writing", () => target.bytesWritten - target.writableLength, { quiet: 200 });
  return socket;
}

// ---- the end

describe('SIGTERM', { concurrency: 3 }, () => {
  test('refuses new connections at once, says 1001, waits for who still takes what is under way and not for who is silent', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout', '20'] });
    const silent = await openSession(t, proxy);
    await server.next();
    const slow = await stalledSession(t, proxy, server);
    const began = Date.now();
    const reading = readSlowly(slow, 40);
    proxy.child.kill('SIGTERM');
    assert.deepEqual(await silent.closed(), { code: 1001, reason: 'the proxy is shutting down', data: Buffer.alloc(0) });
    assert.ok(await refuses(proxy.port), 'nobody listens any more');
    const ends = /\[s1 .*\] closed reason="the proxy is shutting down; cut when the proxy stopped" code=1001/;
    await proxy.logged(ends);
    const took = Date.now() - began;
    assert.ok(took < 2500, `the silent one was there for ${took} ms`);
    assert.ok(!proxy.ended, 'the slow one is waited for');
    const all = await reading;
    const head = all.indexOf('\r\n\r\n') + 4;
    assert.equal(parseHead(all.subarray(0, head)).status, 101);
    const { frames, last } = framesOf(all.subarray(head));
    assert.ok(frames.length > 10, `${frames.length} frames`);
    assert.equal(frames.at(-1)[0], Op.close);
    assert.equal(parseClose(last).code, 1001);
    assert.equal(await exitOf(proxy), 0);
  });

  test('is over after --drain-timeout, however busy a client is', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout', '2'] });
    const slow = await stalledSession(t, proxy, server);
    const reading = readSlowly(slow, 400);
    const began = Date.now();
    proxy.child.kill('SIGTERM');
    assert.equal(await exitOf(proxy), 0);
    const took = Date.now() - began;
    assert.ok(took >= 1900 && took < 3500, `took ${took} ms`);
    assert.match(proxy.log, /\] closed reason="the proxy is shutting down; cut when the proxy stopped"/);
    slow.destroy();
    await reading;
  });

  for (const second of ['SIGTERM', 'SIGINT']) {
    test(`and then ${second} ends at once`, async (t) => {
      const server = await startServer(t);
      const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout', '60'] });
      await stalledSession(t, proxy, server);
      proxy.child.kill('SIGTERM');
      await proxy.logged(/SIGTERM: stopping, 1 session$/);
      proxy.child.kill(second);
      assert.equal(await exitOf(proxy, 700), 0);
      assert.match(proxy.log, new RegExp(`${second}: ending at once\n.*closed reason="the proxy is shutting down; cut`));
    });
  }

  test('lets a reply be read to its end, and answers no further request on that connection', async (t) => {
    const folder = tempDir(t);
    const size = 12 * MiB;
    writeFileSync(path.join(folder, 'large'), Buffer.alloc(size));
    writeFileSync(path.join(folder, 'small'), 'more');
    const proxy = await Proxy.start(t, 5900, { args: ['--web', folder, '--drain-timeout', '20'] });
    const client = await HttpClient.open(t, { port: proxy.port });
    client.socket.write('GET /large HTTP/1.1\r\nHost: localhost\r\n\r\nGET /small HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const head = parseHead(await client.reader.readUntil('\r\n\r\n'));
    assert.equal(head.headers['content-length'], String(size));
    proxy.child.kill('SIGTERM');
    await proxy.logged(/SIGTERM: stopping/);
    const rest = await client.reader.rest({ resetOk: true });
    assert.equal(rest.length, size);
    client.socket.destroy();
    assert.equal(await exitOf(proxy), 0);
  });

  test('and then SIGHUP reloads nothing', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--drain-timeout', '60'] });
    await stalledSession(t, proxy, server);
    proxy.child.kill('SIGTERM');
    await proxy.logged(/SIGTERM: stopping/);
    proxy.child.kill('SIGHUP');
    await proxy.logged(/SIGHUP: nothing to reload for, we are stopping/);
    assert.doesNotMatch(proxy.log, /reloaded|reading the configuration/);
    proxy.child.kill('SIGTERM');
    assert.equal(await exitOf(proxy), 0);
  });
});

test('a reload that is asked for before there is a loop is no reason to die', async (t) => {
  // Held up by a full pipe long before: what it does by then it does at every start.
  const fifo = path.join(tempDir(t), 'fifo');
  const child = start(t, '/bin/sh', ['-c', 'mkfifo "$1"; exec 3<>"$1"; head -c 65536 /dev/zero >&3; exec "$0" --help >&3', binary, fifo]);
  const status = () => text(`/proc/${child.pid}/status`);
  const holds = () => (BigInt(`0x${/^SigBlk:\s*(\w+)/m.exec(status())?.[1] ?? 0}`) & 1n) !== 0n;
  await until('it to be held up, with SIGHUP held back', () => /^Name:\s+wsproxy/m.test(status()) && holds(), { last: status });
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGQUIT']) child.kill(signal);
  const reader = createReadStream(fifo);
  scopeOf(t).add(() => reader.destroy());
  reader.resume();
  assert.deepEqual(await within(5000, 'its end', child.exited), { code: 0, signal: null });
});

test('nohup keeps the terminal\'s end away and not a reload', async (t) => {
  const echo = await startEcho(t);
  const child = start(t, 'nohup', [binary, '127.0.0.1:0', `127.0.0.1:${echo.port}`]);
  await until('the ready line', () => /^open /m.test(child.output), { last: () => child.output });
  child.kill('SIGHUP');
  await until('the reload', () => /reloaded: /.test(child.output), { last: () => child.output });
});

// ---- SIGHUP

/** A proxy that reads `lines` from a file. `.rewrite(lines)` and `.hup()` change what counts. */
async function startConfigured(t, lines, { args = [], folder = tempDir(t) } = {}) {
  const file = path.join(folder, 'wsproxy.conf');
  const rewrite = (next) => writeFileSync(file, `${next.join('\n')}\n`);
  rewrite(lines);
  const proxy = await Proxy.start(t, '', { argv: ['--config', file, ...args] });
  let reloads = 0;
  return Object.assign(proxy, {
    file,
    folder,
    rewrite,
    /** Gives the lines of the log that this reload has written. */
    async hup() {
      const from = proxy.log.length;
      proxy.child.kill('SIGHUP');
      await proxy.logged(/ (reloaded: |reload failed, )/, { count: ++reloads });
      return proxy.log.slice(from);
    },
  });
}

/** The name in the certificate that new clients get. */
async function certificateName(t, port) {
  const socket = await connect(t, { port, secure: true });
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

test('SIGHUP: certificate, target, heartbeat and headers of the file count for new sessions, a live one goes on', async (t) => {
  const [first, second] = [await startGreeter(t, 'first'), await startGreeter(t, 'other')];
  const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
  const lines = (target, { cert, key }, ...more) => ['listen = 127.0.0.1:0', `target = 127.0.0.1:${target.port}`, `cert = ${cert}`, `key = ${key}`, ...more];
  const proxy = await startConfigured(t, lines(first, one, 'heartbeat = 0'));
  const live = await openSession(t, proxy, { secure: true });
  assert.equal(String(await live.bytes(5)), 'first');
  const kept = await HttpClient.open(t, { port: proxy.port, secure: true });
  assert.match((await kept.get('/')).headers['content-security-policy'], /frame-ancestors 'self'/);

  proxy.rewrite(lines(second, two, 'heartbeat = 1', 'frame-ancestors = https://portal.example'));
  const said = await proxy.hup();
  assert.match(said, /reloaded: changed for new sessions: target, cert, key, frame-ancestors, heartbeat$/m);
  assert.doesNotMatch(said, /restart/);

  const fresh = await openSession(t, proxy, { secure: true });
  assert.equal(String(await fresh.bytes(5)), 'other');
  assert.equal(await certificateName(t, proxy.port), 'two');
  assert.match((await get(t, proxy.port, '/', {}, { secure: true })).headers['content-security-policy'], /frame-ancestors https:\/\/portal\.example/);
  assert.equal((await fresh.frame()).opcode, Op.ping);
  // The live one has had no Ping by now, for what comes next is the answer to ours.
  await live.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
  assert.equal((await live.frame()).opcode, Op.pong);
  // So does a connection that has not become a session yet: it began before.
  kept.socket.write(upgradeRequest({ port: proxy.port }));
  assert.equal((await kept.response()).status, 101);
  assert.equal(String((await kept.reader.read(7)).subarray(2)), 'first');
});

test('SIGHUP with a broken file, certificate or key: all stays as it is, and the log says why', async (t) => {
  const echo = await startEcho(t);
  const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
  const [cert, key] = [path.join(one.folder, 'live.crt'), path.join(one.folder, 'live.key')];
  copyFileSync(one.cert, cert);
  copyFileSync(one.key, key);
  const lines = ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`, `cert = ${cert}`, `key = ${key}`];
  const proxy = await startConfigured(t, lines);
  const live = await openSession(t, proxy, { secure: true });
  const escaped = (name) => name.replace(/[.\\]/g, '\\$&');
  const fails = async (names) => {
    const said = await proxy.hup();
    assert.match(said, /error .*reload failed, the old configuration stays: /);
    assert.match(said, names);
    assert.equal(await certificateName(t, proxy.port), 'one');
    await echoes(live);
    await echoes(await openSession(t, proxy, { secure: true }));
  };
  proxy.rewrite([...lines, 'heartbeat = often']);
  await fails(new RegExp(`${escaped(proxy.file)}:5: .*often`));
  proxy.rewrite([...lines, 'hartbeat = 10']);
  await fails(new RegExp(`${escaped(proxy.file)}:5: .*hartbeat`));
  renameSync(proxy.file, `${proxy.file}.away`);
  await fails(new RegExp(`${escaped(proxy.file)}: No such file`, 'i'));
  proxy.rewrite(lines);
  writeFileSync(cert, 'no certificate\n');
  await fails(new RegExp(escaped(cert)));
  copyFileSync(two.cert, cert);
  await fails(new RegExp(`${escaped(cert)}|${escaped(key)}`));
  proxy.child.kill('SIGQUIT');
  await proxy.logged(/SIGQUIT: \d+ sessions/);
  // A new pair while something else is wrong: it is not forgotten that the old one is still in use.
  copyFileSync(two.key, key);
  proxy.rewrite([...lines, 'web = /no/such/folder']);
  const said = await proxy.hup();
  assert.match(said, /reload failed, .*\/no\/such\/folder/);
  await until('the renewed certificate', async () => (await certificateName(t, proxy.port)) === 'two');
  await echoes(live);
});

test('SIGHUP: what only a restart can change is named each time, and stays', async (t) => {
  const echo = await startEcho(t);
  const lines = ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`];
  const proxy = await startConfigured(t, lines);
  proxy.rewrite([...lines, 'listen = 127.0.0.1:1', 'run-once = yes', 'idle-timeout = 1', 'drain-timeout = 7', 'pid-file = /nowhere/pid']);
  assert.match(await proxy.hup(), /warning .*a restart is needed to change: listen, run-once, idle-timeout, pid-file\n.*reloaded: changed for new sessions: drain-timeout$/m);
  assert.match(await proxy.hup(), /a restart is needed to change: listen, run-once, idle-timeout, pid-file\n.*no option has changed$/m);
  for (let i = 0; i < 2; i++) {
    const client = await openSession(t, proxy);
    await echoes(client);
    await client.close();
    await client.closed();
    client.socket.destroy();
    await proxy.logged(/\] closed /, { count: i + 1 });
  }
  assert.ok(!proxy.ended, 'it has not become a --run-once');
});

test('SIGHUP: a program in place of the target needs a restart, and so do both together', async (t) => {
  const echo = await startEcho(t);
  const proxy = await startConfigured(t, ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`]);
  proxy.rewrite(['listen = 127.0.0.1:0', 'wrap = sleep', 'wrap = 60']);
  assert.match(await proxy.hup(), /a restart is needed to change: wrap\n/);
  await echoes(await openSession(t, proxy));
});

test('SIGHUP with all options on the command line: certificates are read again', async (t) => {
  const echo = await startEcho(t);
  const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
  const both = path.join(tempDir(t), 'self.pem');
  copyFileSync(one.both, both);
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', both] });
  const live = await openSession(t, proxy, { secure: true });
  copyFileSync(two.both, both);
  proxy.child.kill('SIGHUP');
  await proxy.logged(/reloaded: certificates and keys; no option has changed/);
  assert.equal(await certificateName(t, proxy.port), 'two');
  await echoes(live);
});

test('SIGHUP many times quickly', async (t) => {
  const echo = await startEcho(t);
  const proxy = await startConfigured(t, ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`]);
  const live = await openSession(t, proxy);
  for (let i = 0; i < 20; i++) proxy.child.kill('SIGHUP');
  await proxy.logged(/reloaded: /);
  await echoes(live);
  await echoes(await openSession(t, proxy));
});

test('SIGHUP switches TLS to the target for new sessions, not for a connection from before', async (t) => {
  const echo = await startEcho(t);
  const lines = ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`];
  const proxy = await startConfigured(t, lines);
  const kept = await HttpClient.open(t, { port: proxy.port });
  await kept.get('/');
  proxy.rewrite([...lines, 'ssl-target = yes', 'ssl-target-insecure = yes']);
  assert.match(await proxy.hup(), /changed for new sessions: ssl-target, ssl-target-insecure/);
  kept.socket.write(upgradeRequest({ port: proxy.port }));
  assert.equal((await kept.response()).status, 101);
  const old = new WebSocketClient(kept.socket);
  old.reader = kept.reader;
  await echoes(old);
  const fresh = await openSession(t, proxy);
  const { code, reason } = await fresh.closed();
  assert.equal(code, 1011);
  assert.match(reason, /TLS/);
});

test('SIGHUP to a daemon that was started with relative paths', async (t) => {
  const echo = await startEcho(t);
  const folder = tempDir(t);
  const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
  const port = await refusedPort();
  const inside = (name) => path.join(folder, name);
  for (const web of ['web', 'web2']) {
    mkdirSync(inside(web));
    writeFileSync(inside(`${web}/index.html`), web);
  }
  await startServer(t, (socket) => socket.pipe(socket), { path: inside('rfb') });
  copyFileSync(one.both, inside('self.pem'));
  const lines = [`listen = 127.0.0.1:${port}`, 'target = unix:rfb', 'cert = self.pem', 'pid-file = pid', 'log-file = log'];
  const rewrite = (...more) => writeFileSync(inside('wsproxy.conf'), `${[...lines, ...more].join('\n')}\n`);
  rewrite('web = web');
  const { code, stderr } = await runToEnd(t, ['-D', '--config', 'wsproxy.conf'], { cwd: folder });
  assert.equal(code, 0, stderr);
  const pid = Number(text(inside('pid')));
  scopeOf(t).add(async () => {
    process.kill(pid, 'SIGTERM');
    await until('the daemon to end', () => !existsSync(inside('pid')));
  });
  const reload = async (count) => {
    process.kill(pid, 'SIGHUP');
    await until(`reload ${count}`, () => (text(inside('log')).match(/ reloaded: | reload failed/g) ?? []).length >= count, { last: () => text(inside('log')) });
  };
  const options = { port, secure: true };
  await echoes(await WebSocketClient.open(t, options));
  copyFileSync(two.both, inside('self.pem'));
  await until('the renewed certificate', async () => (await certificateName(t, port)) === 'two');
  await reload(1);
  assert.match(text(inside('log')), /reloaded: certificates and keys; no option has changed/);
  rewrite('web = web2');
  await reload(2);
  assert.equal(String((await get(t, port, '/', {}, { secure: true })).body), 'web2');
  await echoes(await WebSocketClient.open(t, options));
  assert.match(text(inside('log')), /reloaded: changed for new sessions: web$/m);
  // echo is only there so that a wrong way would be seen
  assert.equal(echo.sockets.size, 0);
});

// LeakSanitizer wants /proc at the end, which a chroot does not have
test('SIGHUP in a chroot finds no file, and goes on; no descriptor leads out', { skip: sanitized ? 'LeakSanitizer needs /proc' : process.getuid() === 0 ? false : 'needs root' }, async (t) => {
  const echo = await startEcho(t);
  const jail = tempDir(t);
  chmodSync(jail, 0o755);
  const file = path.join(tempDir(t), 'wsproxy.conf');
  writeFileSync(file, `listen = 127.0.0.1:0\ntarget = 127.0.0.1:${echo.port}\nuser = nobody\nchroot = ${jail}\n`);
  const proxy = await Proxy.start(t, '', { argv: ['--config', file] });
  proxy.child.kill('SIGHUP');
  await proxy.logged(/reload failed, the old configuration stays: .*wsproxy\.conf: no such file/i);
  await echoes(await openSession(t, proxy));
  const open = readdirSync(`/proc/${proxy.pid}/fd`).map((fd) => statSync(`/proc/${proxy.pid}/fd/${fd}`));
  assert.deepEqual(open.filter((status) => status.isDirectory()), []);
});

// ---- SIGQUIT

test('SIGQUIT: a line for each session with number, client, phase, target and bytes', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port);
  const client = await openSession(t, proxy);
  await echoes(client, 'twelve bytes');
  const waiting = await connect(t, { port: proxy.port });
  waiting.write('GET / HTT');
  const name = (socket) => `127\\.0\\.0\\.1:${socket.localPort}`;
  await until('both in the table', async () => {
    proxy.child.kill('SIGQUIT');
    await proxy.logged(/SIGQUIT: /);
    return /SIGQUIT: 1 session, 2 connections/.test(proxy.log);
  });
  await proxy.logged(new RegExp(`\\[s1 ${name(client.socket)}\\] relay age=\\d+s target=127\\.0\\.0\\.1:${echo.port} to_target=12 to_client=12$`));
  await proxy.logged(new RegExp(`\\[s2 ${name(waiting)}\\] read-request age=\\d+s$`));
});

test('SIGQUIT with 300 connections: every line arrives in the log file', async (t) => {
  const server = await startServer(t);
  const log = path.join(tempDir(t), 'log');
  const proxy = await Proxy.start(t, server.port, { args: ['--log-file', log] });
  await Promise.all(Array.from({ length: 50 }, () => openSession(t, proxy)));
  await Promise.all(Array.from({ length: 250 }, async () => (await connect(t, { port: proxy.port })).write('GET')));
  const count = 300;
  await until('all in the table', async () => {
    proxy.child.kill('SIGQUIT');
    await proxy.logged(/SIGQUIT: /);
    return new RegExp(`SIGQUIT: 50 sessions, ${count} connections`).test(proxy.log);
  });
  // From the last SIGQUIT on: one that comes while lines are still due begins anew.
  const numbers = () => [...text(log).slice(text(log).lastIndexOf('SIGQUIT: ')).matchAll(/ \[s(\d+) \S+\] (?:relay|read-request|sniff) age=/g)].map((match) => Number(match[1]));
  await until('the last line', () => numbers().length >= count, { last: () => numbers().length });
  assert.deepEqual(numbers(), Array.from({ length: count }, (_, i) => i + 1));
  assert.doesNotMatch(text(log), /lines lost/);
});

// ---- ending by itself

describe('the end comes by itself', { concurrency: 6 }, () => {
  test('--run-once: with the first WebSocket, not with pages, and there is but one', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--run-once'] });
    assert.equal((await get(t, proxy.port, '/')).status, 200);
    const client = await openSession(t, proxy);
    await echoes(client);
    const second = await upgradeStatus(t, proxy);
    assert.equal(second.status, 503);
    assert.equal((await get(t, proxy.port, '/')).status, 200, 'pages are served to the end');
    assert.ok(!proxy.ended);
    await client.close();
    await client.closed();
    client.socket.destroy();
    assert.equal(await exitOf(proxy), 0);
    assert.match(proxy.log, /--run-once: its session has ended/);
  });

  test('--run-once: a session whose target cannot be reached was one', async (t) => {
    const proxy = await Proxy.start(t, await refusedPort(), { args: ['--run-once'] });
    const client = await openSession(t, proxy);
    assert.equal((await client.closed()).code, 1011);
    client.socket.destroy();
    assert.equal(await exitOf(proxy), 0);
  });

  test('--timeout: no new connections from then on, exit with the last session', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--timeout', '1'] });
    const client = await openSession(t, proxy);
    await proxy.logged(/--timeout: no new connections, 1 connection left/);
    assert.ok(await refuses(proxy.port));
    proxy.child.kill('SIGHUP'); // neither starts the time anew nor opens the listener
    await proxy.logged(/reloaded: /);
    assert.ok(await refuses(proxy.port));
    await echoes(client);
    assert.ok(!proxy.ended);
    await client.close();
    await client.closed();
    client.socket.destroy();
    assert.equal(await exitOf(proxy), 0);
  });

  test('--timeout without sessions: exit then', async (t) => {
    const proxy = await Proxy.start(t, 5900, { args: ['--timeout', '1'] });
    assert.equal(await exitOf(proxy, 3000), 0);
  });

  test('--idle-timeout: the time runs while there is no connection at all, kept ones of pages included', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--idle-timeout', '1'] });
    const client = await openSession(t, proxy);
    const page = await HttpClient.open(t, { port: proxy.port });
    assert.equal((await page.get('/')).status, 200);
    await client.close();
    await client.closed();
    client.socket.destroy();
    await proxy.logged(/\] closed /);
    const began = Date.now();
    await until('a second and a half with the kept connection alone', () => Date.now() - began > 1500 || proxy.ended);
    assert.equal((await page.get('/')).status, 200);
    page.socket.destroy();
    const left = Date.now();
    assert.equal(await exitOf(proxy, 4000), 0);
    assert.ok(Date.now() - left > 900, `idle for ${Date.now() - left} ms only`);
    assert.match(proxy.log, /--idle-timeout: stopping, 0 sessions/);
  });

  test('--idle-timeout when nobody ever comes', async (t) => {
    const proxy = await Proxy.start(t, 5900, { args: ['--idle-timeout', '1'] });
    assert.equal(await exitOf(proxy, 3000), 0);
  });
});

test('--reuse-port: two daemons share a port and both get sessions; without it the port is taken', async (t) => {
  const { port: target } = await startEcho(t);
  const args = ['--reuse-port'];
  const first = await Proxy.start(t, target, { args });
  const listen = `127.0.0.1:${first.port}`;
  const both = [first, await Proxy.start(t, target, { args, listen })];
  const served = (proxy) => /\] open\b/.test(proxy.log);
  await until('a session in each', async () => {
    const client = await WebSocketClient.open(t, first);
    await client.send(Buffer.from('through'));
    assert.equal((await client.bytes(7)).toString(), 'through');
    await client.finish();
    return both.every(served);
  });
  const third = await runToEnd(t, [listen, `127.0.0.1:${target}`]);
  assert.equal(third.code, 1);
  assert.match(third.stderr, /cannot listen on .*: address already in use/);
});

test('--max-sessions: one more is refused with 503 and Retry-After, and a place is free again after a session', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--max-sessions', '2'] });
  const [first, second] = [await openSession(t, proxy), await openSession(t, proxy)];
  const refused = await upgradeStatus(t, proxy);
  assert.equal(refused.status, 503);
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.equal((await get(t, proxy.port, '/')).status, 200, 'pages are served all the same');
  await first.close();
  await first.closed();
  first.socket.destroy();
  await until('a free place', async () => (await upgradeStatus(t, proxy)).status === 101);
  await until('a free place again', async () => {
    const client = await connect(t, { port: proxy.port });
    client.write(upgradeRequest({ port: proxy.port }));
    const [head] = await once(client, 'data');
    client.destroy();
    return String(head).startsWith('HTTP/1.1 101 ');
  });
  await echoes(second);
});

// ---- heartbeats

describe('--heartbeat', { concurrency: 6 }, () => {
  test('a quiet client is pinged, one that answers stays', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--heartbeat', '2'] });
    const client = await openSession(t, proxy);
    for (let pings = 0; pings < 2; pings++) {
      const began = Date.now();
      const next = await client.frame();
      assert.deepEqual([next.opcode, next.payload.length], [Op.ping, 0]);
      assert.ok(Date.now() - began > 700, `after ${Date.now() - began} ms of silence`);
      await client.write(Buffer.from([0x8a, 0x80, 1, 2, 3, 4]));
    }
    const target = await server.next();
    target.write('still there');
    assert.equal(String(await client.bytes(11)), 'still there');
  });

  test('a busy client is not', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--heartbeat', '1'] });
    const client = await openSession(t, proxy);
    const began = Date.now();
    while (Date.now() - began < 1700) {
      await client.send('x');
      assert.deepEqual(await client.frame(), { fin: true, opcode: Op.binary, payload: Buffer.from('x') });
      await new Promise((resolve) => setTimeout(resolve, 50)); // typing, not flooding
    }
  });

  test('no Pong: Close 1001 "no answer to a ping"', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--heartbeat', '1', '--drain-timeout', '1'] });
    const client = await openSession(t, proxy);
    assert.equal((await client.frame()).opcode, Op.ping);
    const next = await client.frame();
    assert.deepEqual([next.opcode, parseClose(next.payload)], [Op.close, { code: 1001, reason: 'no answer to a ping' }]);
    await proxy.logged(/\] closed reason="no answer to a ping.*" code=1001/);
  });

  test('a client whose words are data answers as well as with a Pong', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--heartbeat', '1'] });
    const client = await openSession(t, proxy);
    for (let pings = 0; pings < 2; pings++) {
      assert.equal((await client.frame()).opcode, Op.ping);
      await echoes(client, 'data');
    }
  });

  test('0 means never', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.start(t, server.port, { args: ['--heartbeat', '0'] });
    const client = await openSession(t, proxy);
    const target = await server.next();
    const began = Date.now();
    await until('two seconds of silence', () => Date.now() - began > 2000);
    target.write('first');
    assert.equal(String((await client.frame()).payload), 'first');
  });
});

// ---- --check and --dump-config

const check = (t, args, options) => runToEnd(t, ['--check', ...args], options);

test('--check is silent on standard error when all is well, also while another one runs on that port', async (t) => {
  const { cert, key } = await makeCertificate(t);
  const folder = tempDir(t);
  const args = ['--cert', cert, '--key', key, '--web', folder, '--pid-file', path.join(folder, 'pid')];
  const proxy = await Proxy.start(t, 5900, { args });
  const unix = path.join(folder, 'ws.sock');
  const result = await check(t, [...args, '--listen', `127.0.0.1:${proxy.port}`, '--listen', `unix:${unix}`, '--target', '127.0.0.1:5900']);
  assert.deepEqual([result.code, result.stderr], [0, '']);
  assert.ok(result.stdout.split('\n').length <= 2, result.stdout);
  assert.ok(!existsSync(unix), 'nothing was created');
  assert.equal(text(path.join(folder, 'pid')).trim(), String(proxy.pid));
  assert.equal((await get(t, proxy.port, '/', {}, { secure: true })).status, 404, 'the other one serves its empty folder');
});

test('--check finds what a start would: not 0, and in words', async (t) => {
  const { cert, folder } = await makeCertificate(t);
  const other = await makeCertificate(t, { name: 'other' });
  const conf = path.join(folder, 'wsproxy.conf');
  writeFileSync(path.join(folder, 'bad.pem'), 'no certificate\n');
  writeFileSync(conf, '# one\nlisten = 127.0.0.1:0\nheartbeat = often\n');
  const simple = ['127.0.0.1:0', '127.0.0.1:5900'];
  for (const [code, args, words] of [
    [1, ['--cert', path.join(folder, 'bad.pem'), ...simple], /bad\.pem/],
    [1, ['--cert', path.join(folder, 'gone.pem'), ...simple], /gone\.pem/],
    [1, ['--cert', cert, '--key', other.key, ...simple], /other\.key|localhost\.crt/],
    [1, ['--web', path.join(folder, 'gone'), ...simple], /gone/],
    [1, ['--user', 'no-such-user', ...simple], /no-such-user/],
    [1, ['192.0.2.7:6080', '127.0.0.1:5900'], /192\.0\.2\.7/],
    [1, ['unix:/no/such/folder/ws', '127.0.0.1:5900'], /\/no\/such\/folder/],
    [1, ['--pid-file', '/no/such/folder/pid', ...simple], /--pid-file.*\/no\/such\/folder/],
    [1, ['--log-file', '/no/such/folder/log', ...simple], /--log-file.*\/no\/such\/folder/],
    [1, ['--access-log', '/no/such/folder/log', ...simple], /--access-log.*\/no\/such\/folder/],
    [1, ['--record', '/no/such/folder/rec', ...simple], /--record.*\/no\/such\/folder/],
    [78, ['--config', conf], /wsproxy\.conf:3: .*often/],
    [2, ['127.0.0.1:0', 'localhost'], /localhost/],
  ]) {
    const result = await check(t, args);
    assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, words);
    assert.equal(result.stdout, '');
  }
});

test('--dump-config read back by --config is the same, with relative paths and -D as well', async (t) => {
  const { folder } = await makeCertificate(t);
  const dumped = path.join(folder, 'dumped.conf');
  for (const args of [
    ['6080', 'localhost:5900'],
    ['-D', '--cert', 'self.pem', '--web', '.', '--listen', '[::1]:6081', '--listen', 'unix:ws sock', '--unix-target', 'rfb', '--heartbeat', '7',
      '--frame-ancestors', "'self' https://a.example", '--pid-file', 'pid', '--log-file', '# no comment', '--access-log', 'access', '--run-once'],
    ['6080', '--wrap-mode', 'respawn', '--', 'sh', '-c', 'echo "$0" # \\ \'x\'', ''],
  ]) {
    const first = await runToEnd(t, [...args.slice(0, args.indexOf('--') < 0 ? undefined : args.indexOf('--')), '--dump-config', ...(args.indexOf('--') < 0 ? [] : args.slice(args.indexOf('--')))], { cwd: folder });
    assert.equal(first.code, 0, first.stderr);
    writeFileSync(dumped, first.stdout);
    const second = await runToEnd(t, ['--config', dumped, '--dump-config'], { cwd: folder });
    assert.deepEqual([second.code, second.stdout], [0, first.stdout], second.stderr);
  }
});

// ---- in websockify's place

test('called websockify, as noVNC\'s novnc_proxy does it', async (t) => {
  const folder = tempDir(t);
  const link = path.join(folder, 'websockify');
  symlinkSync(binary, link);
  const echo = await startEcho(t);
  const { both, folder: certs } = await makeCertificate(t);
  writeFileSync(path.join(folder, 'vnc.html'), 'noVNC');
  const port = await refusedPort();
  const child = start(t, '/bin/sh', [
    '-c',
    `"$0" --ssl-only --file-only --web ${folder} --cert ${both} --key ${certs}/localhost.key ${port} localhost:${echo.port} --heartbeat 30 --idle-timeout 600 --timeout 3600 &
     pid=$!; echo "pid $pid"; trap 'kill -TERM $pid' TERM; wait $pid; wait $pid; echo "status $?"`,
    link,
  ]);
  await until('the ready line', () => /^open /m.test(child.output), { last: () => child.output });
  const pid = Number(/^pid (\d+)/m.exec(child.output)[1]);
  assert.equal(String((await get(t, port, '/vnc.html', {}, { secure: true })).body), 'noVNC');
  await echoes(await WebSocketClient.open(t, { port, secure: true }));
  const status = await run(t, 'ps', ['-o', 'comm=', '-p', String(pid)]);
  assert.match(status.stdout, /websockify|wsproxy/, 'it has stayed in the foreground');
  child.kill('SIGTERM');
  assert.equal((await within(5000, () => `its end: ${child.output}`, child.exited)).code, 0);
  assert.match(child.output, /status 0/);
});

// ---- logs

test('what is said while it starts is in the log file as well', async (t) => {
  const { cert, key, folder } = await makeCertificate(t);
  const [log, password] = [path.join(folder, 'log'), path.join(folder, 'password')];
  writeFileSync(password, 'secret\n', { mode: 0o644 });
  const proxy = await Proxy.start(t, 5900, { args: ['--cert', cert, '--key', key, '--key-password-file', password, '--log-file', log] });
  await proxy.logged(new RegExp(`warning .*${password}`));
  await until('the same in the file', () => text(log).includes(password), { last: () => text(log) });
});

// The sandbox from outside: what the kernel says of our processes, what they are refused, and that all works in it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { describe } from 'node:test';
import { get } from './support/http.mjs';
import { Proxy, sanitized } from './support/proxy.mjs';
import { scopeOf, tempDir, until } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient, connect } from './support/websocket.mjs';

const linked = spawnSync('ldd', [process.env.WSPROXY ?? '../../build/release/wsproxy'], { encoding: 'utf8' });
const landlock = spawnSync('python3', ['-c', 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))'], { encoding: 'utf8' });
const abi = landlock.status === 0 ? Number(landlock.stdout) : 0;
const missing = (() => {
  if (sanitized) return 'a build with a sanitizer has no sandbox';
  if (!/libseccomp/.test(linked.stdout)) return 'this build has no seccomp';
  return abi > 0 ? false : 'this kernel has no Landlock';
})();

function statusOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1];
  return { name: field('Name'), seccomp: field('Seccomp'), noNewPrivs: field('NoNewPrivs') };
}

const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** The processes of a daemon by their names; several of one name in a row. */
function family(proxy) {
  return [proxy.pid, ...childrenOf(proxy.pid)].map((pid) => ({ pid, ...statusOf(pid) }));
}

const named = (proxy, name) => family(proxy).filter((each) => each.name === name).map(({ pid }) => pid);

async function echoes(t, proxy, words = 'there and back', options = {}) {
  const client = await WebSocketClient.open(t, { port: proxy.port, ...options });
  await client.send(Buffer.from(words));
  assert.equal(String(await client.bytes(words.length)), words);
  return client;
}

async function certificateName(t, port) {
  const socket = await connect(t, { port, secure: true });
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

/** Started by a file, which `rewrite` replaces and `hup` has read. */
async function startConfigured(t, lines, args = []) {
  const file = path.join(tempDir(t), 'wsproxy.conf');
  const rewrite = (next) => {
    writeFileSync(`${file}.new`, `${next.join('\n')}\n`);
    renameSync(`${file}.new`, file);
  };
  rewrite(lines);
  const proxy = await Proxy.start(t, '', { argv: ['--config', file, ...args] });
  let reloads = 0;
  const hup = async () => {
    const from = proxy.log.length;
    proxy.child.kill('SIGHUP');
    await proxy.logged(/ (reloaded: |reload failed, )/, { count: ++reloads });
    return proxy.log.slice(from);
  };
  return Object.assign(proxy, { rewrite, hup });
}

test('a build with a sanitizer says that it has none', { skip: !sanitized }, async (t) => {
  const proxy = await Proxy.start(t, 5900);
  await proxy.logged(/no sandbox: this build has a sanitizer/);
});

describe('the sandbox', { skip: missing, concurrency: 2 }, () => {
  test('the daemon and all its helpers have a filter of system calls and can gain no privileges', async (t) => {
    const folder = tempDir(t);
    const file = (name) => path.join(folder, name);
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--log-file', file('log'), '--access-log', file('access'), '--record', file('session')] });
    await proxy.logged(/sandbox: files by Landlock \d+.*system calls by seccomp$/);
    await echoes(t, proxy);
    const processes = family(proxy);
    assert.deepEqual(processes.map(({ name }) => name).sort(), ['wsproxy', 'wsproxy-log', 'wsproxy-log', 'wsproxy-lookup', 'wsproxy-record', 'wsproxy-start']);
    for (const { name, seccomp, noNewPrivs } of processes) assert.deepEqual({ name, seccomp, noNewPrivs }, { name, seccomp: '2', noNewPrivs: '1' });
  });

  for (const [how, start] of [
    ['--no-sandbox', (t, echo) => Proxy.start(t, echo.port, { args: ['--no-sandbox'] })],
    ['sandbox = no', (t, echo) => startConfigured(t, ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`, 'sandbox = no'])],
  ]) {
    test(`${how}: there is none, the log says so, and sessions work`, async (t) => {
      const echo = await startEcho(t);
      const proxy = await start(t, echo);
      await proxy.logged(/warning no sandbox, as told/);
      await echoes(t, proxy);
      assert.deepEqual(family(proxy).map(({ name, seccomp }) => [name, seccomp]), [['wsproxy', '0'], ['wsproxy-lookup', '0']]);
    });
  }

  test('a renewed certificate is served: replaced by rename, and where a link is changed to lead elsewhere', async (t) => {
    const folder = tempDir(t);
    for (const name of ['live', 'archive']) mkdirSync(path.join(folder, name));
    const names = ['one', 'two', 'three'];
    for (const name of names) {
      const made = await makeCertificate(t, { name });
      writeFileSync(path.join(folder, `archive/${name}.pem`), readFileSync(made.both));
    }
    const live = path.join(folder, 'live/cert.pem');
    symlinkSync('../archive/one.pem', live);
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--cert', live] });
    assert.equal(await certificateName(t, proxy.port), 'one');
    symlinkSync('../archive/two.pem', `${live}.new`);
    renameSync(`${live}.new`, live);
    await until('the second certificate', async () => (await certificateName(t, proxy.port)) === 'two', { every: 100 });
    writeFileSync(`${live}.new`, readFileSync(path.join(folder, 'archive/three.pem')));
    renameSync(`${live}.new`, live);
    await until('the third certificate', async () => (await certificateName(t, proxy.port)) === 'three', { every: 100 });
    await echoes(t, proxy, 'by TLS', { secure: true });
  });

  test('so is one directly in the temporary directory, of which nothing else can be read', async (t) => {
    const file = path.join(tmpdir(), `wsproxy-e2e-${process.pid}.pem`);
    scopeOf(t).add(() => rmSync(file, { force: true }));
    const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
    writeFileSync(file, readFileSync(one.both));
    const proxy = await Proxy.start(t, 5900, { args: ['--cert', file] });
    assert.equal(await certificateName(t, proxy.port), 'one');
    renameSync(two.both, file);
    await until('the second certificate', async () => (await certificateName(t, proxy.port)) === 'two', { every: 100 });
  });

  test('SIGHUP: a certificate and an encrypted key anywhere are read, by a process outside', async (t) => {
    const echo = await startEcho(t);
    const [one, two] = [await makeCertificate(t, { name: 'one' }), await makeCertificate(t, { name: 'two' })];
    const locked = path.join(tempDir(t), 'locked.pem');
    const password = path.join(tempDir(t), 'password');
    writeFileSync(password, 'sesame\n', { mode: 0o600 });
    assert.equal(spawnSync('openssl', ['pkey', '-in', two.key, '-aes256', '-passout', 'pass:sesame', '-out', locked]).status, 0);
    const lines = (cert, key, ...more) => ['listen = 127.0.0.1:0', `target = 127.0.0.1:${echo.port}`, `cert = ${cert}`, `key = ${key}`, ...more];
    const proxy = await startConfigured(t, lines(one.cert, one.key));
    assert.equal(await certificateName(t, proxy.port), 'one');
    proxy.rewrite(lines(two.cert, locked, `key-password-file = ${password}`));
    const said = await proxy.hup();
    assert.match(said, /reloaded: changed for new sessions: cert, key, key-password-file$/m);
    assert.doesNotMatch(said, /warning/);
    assert.equal(await certificateName(t, proxy.port), 'two');
    // What is wrong with such a file is told by the name that the operator knows.
    writeFileSync(locked, 'no key');
    assert.match(await proxy.hup(), new RegExp(`reload failed, the old configuration stays: .*${locked}`));
    assert.equal(await certificateName(t, proxy.port), 'two');
    await echoes(t, proxy, 'by TLS', { secure: true });
  });

  test('SIGHUP with a web directory elsewhere: refused by name, the old one is served; one within it is taken', async (t) => {
    const [old, other] = [tempDir(t), tempDir(t)];
    mkdirSync(path.join(old, 'sub'));
    for (const folder of [old, other, path.join(old, 'sub')]) writeFileSync(path.join(folder, 'index.html'), `page of ${folder}`);
    const lines = (web) => ['listen = 127.0.0.1:0', 'target = 127.0.0.1:5900', `web = ${web}`];
    const proxy = await startConfigured(t, lines(old));
    proxy.rewrite(lines(other));
    assert.match(await proxy.hup(), new RegExp(`reload failed, the old configuration stays: --web ${other}: the sandbox of this process has no access .* restart`));
    assert.equal(String((await get(t, proxy.port, '/')).body), `page of ${old}`);
    proxy.rewrite(lines(path.join(old, 'sub')));
    assert.match(await proxy.hup(), /reloaded: /);
    assert.equal(String((await get(t, proxy.port, '/')).body), `page of ${old}/sub`);
  });

  test('a link in the web directory that leads out of it is not followed', async (t) => {
    const [web, outside] = [tempDir(t), tempDir(t)];
    writeFileSync(path.join(outside, 'secret.txt'), 'secret');
    symlinkSync(path.join(outside, 'secret.txt'), path.join(web, 'link.txt'));
    const proxy = await Proxy.start(t, 5900, { args: ['--web', web] });
    const { status, body } = await get(t, proxy.port, '/link.txt');
    assert.ok(status === 403 || status === 404, String(status));
    assert.doesNotMatch(String(body), /secret/);
  });

  test('SIGHUP with another target port in the file: connections go there', async (t) => {
    const [first, second] = [await startEcho(t), await startEcho(t)];
    const lines = ({ port }) => ['listen = 127.0.0.1:0', `target = localhost:${port}`];
    const proxy = await startConfigured(t, lines(first));
    await echoes(t, proxy, 'one');
    proxy.rewrite(lines(second));
    assert.match(await proxy.hup(), /reloaded: /);
    await echoes(t, proxy, 'two');
  });

  test('a look-up helper that dies is replaced by one in the same sandbox', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, `localhost:${echo.port}`);
    await echoes(t, proxy);
    const [before] = named(proxy, 'wsproxy-lookup');
    process.kill(before, 'SIGKILL');
    await proxy.logged(/the look-up helper ended; starting another/);
    await until('another helper', () => named(proxy, 'wsproxy-lookup').some((pid) => pid !== before));
    await echoes(t, proxy);
    for (const { name, seccomp, noNewPrivs } of family(proxy)) assert.deepEqual([name, seccomp, noNewPrivs], [name, '2', '1']);
  });

  test('a writer of recordings that dies is replaced for the next session', async (t) => {
    const file = path.join(tempDir(t), 'session');
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, echo.port, { args: ['--record', file] });
    process.kill(named(proxy, 'wsproxy-record')[0], 'SIGKILL');
    await proxy.logged(/the writer of recordings died/);
    const client = await echoes(t, proxy, 'recorded');
    await client.close();
    await until('the recording', () => existsSync(`${file}.1`) && readFileSync(`${file}.1`, 'latin1').includes('recorded'));
    const [writer] = named(proxy, 'wsproxy-record');
    assert.equal(statusOf(writer).seccomp, '2');
  });

  test('the daemon ends and so do all its processes, however it ends', async (t) => {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      const proxy = await Proxy.start(t, 5900, { args: ['--log-file', path.join(tempDir(t), 'log')] });
      const pids = childrenOf(proxy.pid);
      assert.equal(pids.length, 3);
      if (signal === 'SIGKILL') proxy.stopped = Promise.resolve(0);
      proxy.child.kill(signal);
      await proxy.child.exited;
      await until('the end of its helpers', () => pids.every((pid) => !existsSync(`/proc/${pid}`)), { last: () => pids.filter((pid) => existsSync(`/proc/${pid}`)).map((pid) => statusOf(pid).name).join() });
    }
  });

  test('a Unix socket and the pid file are removed at the end', async (t) => {
    const folder = tempDir(t);
    const [unix, pid] = [path.join(folder, 'ws.sock'), path.join(folder, 'pid')];
    const proxy = await Proxy.start(t, '', { argv: ['--listen', '127.0.0.1:0', '--listen', `unix:${unix}`, '--target', '127.0.0.1:5900', '--pid-file', pid] });
    assert.ok(existsSync(unix) && existsSync(pid));
    await proxy.stop();
    assert.ok(!existsSync(unix) && !existsSync(pid));
  });

  test('a program behind -- has no limits, started the first time or again', async (t) => {
    const out = path.join(tempDir(t), 'runs');
    const script = `const fs = require('fs');
      const status = fs.readFileSync('/proc/self/status', 'utf8');
      const run = require('child_process').execFileSync('/bin/cat', ['/etc/passwd']).length > 0;
      fs.appendFileSync(${JSON.stringify(out)}, /Seccomp:\\s*(\\d)/.exec(status)[1] + ' ' + run + ' ' + process.ppid + '\\n');
      require('net').createServer((socket) => socket.once('data', () => process.exit(0))).listen(Number(process.env.REBIND_OLD_PORT), '127.0.0.1');`;
    const proxy = await Proxy.start(t, undefined, { argv: ['--wrap-mode', 'respawn', '127.0.0.1:0', '--', process.execPath, '-e', script] });
    const runs = () => (existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n') : []);
    await until('the first run', () => runs().length === 1);
    const client = await WebSocketClient.open(t, { port: proxy.port });
    await client.send('end');
    await until('the second run', () => runs().length === 2, { last: () => proxy.log });
    assert.deepEqual(runs(), Array(2).fill(`0 true ${proxy.pid}`));
    assert.equal(statusOf(proxy.pid).seccomp, '2');
    // That one process starts programs: it cannot be limited.
    assert.equal(statusOf(named(proxy, 'wsproxy-start')[0]).seccomp, '0');
  });

  test('the process that starts the others dies: sessions go on, and what cannot be started is said', async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, `localhost:${echo.port}`);
    const client = await echoes(t, proxy);
    process.kill(named(proxy, 'wsproxy-start')[0], 'SIGKILL');
    process.kill(named(proxy, 'wsproxy-lookup')[0], 'SIGKILL');
    await proxy.logged(/cannot start the look-up helper: the process that starts others is gone/);
    await client.send('still there');
    assert.equal(String(await client.bytes(11)), 'still there');
  });
});

// In the background, with a pid file, without privileges, from systemd: what an administrator relies on.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { get } from './support/http.mjs';
import { Proxy, binary, runToEnd } from './support/proxy.mjs';
import { scopeOf, start, tempDir, until } from './support/scope.mjs';
import { refusedPort, startEcho, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const root = process.getuid() === 0 ? false : 'needs root';
const nobody = Object.fromEntries(['uid', 'gid'].map((key) => [key, Number(spawnSync('id', [key === 'uid' ? '-u' : '-g', 'nobody'], { encoding: 'utf8' }).stdout)]));

function isRunning(pid) {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** One line of /proc/PID/status, its blanks made single spaces. */
const statusOf = (pid, key) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1].trim().replace(/\s+/g, ' ');

/** The process and all that it has started, itself or by others. */
function familyOf(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      parents.set(Number(name), Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))[1]));
    } catch {
      // it ended meanwhile
    }
  }
  const family = [pid];
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child);
  return family;
}

const accepts = (port) =>
  new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => resolve(false));
    socket.on('connect', () => resolve(socket.destroy() && true));
  });

/** Ends the daemon of a pid file with the test, and with it the file. */
function endWithTest(t, pidFile) {
  scopeOf(t).add(async () => {
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'latin1')) : 0;
    if (!pid || !isRunning(pid)) return;
    process.kill(pid, 'SIGTERM');
    try {
      await until(`daemon ${pid} to end`, () => !isRunning(pid), { timeout: 5000 });
    } catch (error) {
      process.kill(pid, 'SIGKILL');
      throw error;
    }
  });
}

/** Runs `wsproxy -D` until the process that was started ends, which must be with 0. */
async function startDaemon(t, { args = [], target = '127.0.0.1:5900', cwd, listen } = {}) {
  const folder = tempDir(t);
  const pidFile = path.join(folder, 'wsproxy.pid');
  const port = await refusedPort();
  endWithTest(t, pidFile);
  const result = await runToEnd(t, ['-D', '--pid-file', pidFile, ...args, listen ?? `127.0.0.1:${port}`, target], { cwd });
  assert.equal(result.code, 0, result.stderr);
  const pid = Number(readFileSync(pidFile, 'latin1'));
  return { folder, pidFile, port, pid, ...result };
}

async function stop(daemon) {
  process.kill(daemon.pid, 'SIGTERM');
  await until('the daemon to end', () => !isRunning(daemon.pid), { timeout: 5000 });
}

async function echoes(t, port) {
  const client = await WebSocketClient.open(t, { port });
  await client.send(Buffer.from('there and back'));
  assert.equal(String(await client.bytes(14)), 'there and back');
  client.socket.destroy();
}

// ---- -D

test('-D returns 0 once connections are accepted, and lets go of all that it was started with', async (t) => {
  const echo = await startEcho(t);
  // runToEnd() reads the output to its end: a daemon that kept it open would keep us waiting
  const daemon = await startDaemon(t, { target: `127.0.0.1:${echo.port}` });
  assert.ok(await accepts(daemon.port), 'at once, not soon');
  await echoes(t, daemon.port);
  for (const pid of familyOf(daemon.pid)) {
    for (const fd of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${pid}/fd/${fd}`), '/dev/null', `descriptor ${fd} of ${pid}`);
  }
  assert.equal(readlinkSync(`/proc/${daemon.pid}/cwd`), '/');
  const [, parent, , session] = /^\d+ \(.*\) \S (\d+) (\d+) (\d+)/.exec(readFileSync(`/proc/${daemon.pid}/stat`, 'latin1'));
  assert.notEqual(Number(parent), process.pid);
  assert.notEqual(Number(session), daemon.pid, 'no leader of its session: it can get no terminal');
  assert.notEqual(Number(session), process.pid);
});

test('-D on a port that is taken: not 0, and the words on standard error', async (t) => {
  const taken = await startServer(t);
  const folder = tempDir(t);
  const pidFile = path.join(folder, 'wsproxy.pid');
  const { code, stdout, stderr } = await runToEnd(t, ['-D', '--pid-file', pidFile, `127.0.0.1:${taken.port}`, '127.0.0.1:5900']);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${taken.port}: address already in use`));
  assert.ok(!existsSync(pidFile), 'no pid file is left of it');
});

test('-D with a certificate that is none: not 0, and the words on standard error', async (t) => {
  const { code, stderr } = await runToEnd(t, ['-D', '--cert', '/no/such/file.pem', '127.0.0.1:0', '127.0.0.1:5900']);
  assert.equal(code, 1);
  assert.match(stderr, /\/no\/such\/file\.pem/);
});

test('-D with relative paths for certificate, web directory and pid file', async (t) => {
  const folder = tempDir(t);
  const certificate = await makeCertificate(t, { folder });
  mkdirSync(path.join(folder, 'site'));
  writeFileSync(path.join(folder, 'site', 'hello.txt'), 'from the directory\n');
  const port = await refusedPort();
  endWithTest(t, path.join(folder, 'wsproxy.pid'));
  const relative = (file) => path.relative(folder, file);
  const { code, stderr } = await runToEnd(
    t,
    ['-D', '--pid-file', 'wsproxy.pid', '--cert', relative(certificate.cert), '--key', relative(certificate.key), '--web', 'site', `127.0.0.1:${port}`, '127.0.0.1:5900'],
    { cwd: folder },
  );
  assert.equal(code, 0, stderr);
  const { status, body } = await get(t, port, '/hello.txt', {}, { secure: true });
  assert.equal(status, 200);
  assert.equal(String(body), 'from the directory\n');
  await stop({ pid: Number(readFileSync(path.join(folder, 'wsproxy.pid'), 'latin1')) });
  assert.ok(!existsSync(path.join(folder, 'wsproxy.pid')), 'the pid file is gone, from / as well');
});

test('files that a daemon makes are its own alone', async (t) => {
  const daemon = await startDaemon(t);
  assert.equal(statusOf(daemon.pid, 'Umask'), '0077');
});

// ---- the pid file

test('the pid file has the pid, is readable for all and locked, and goes with TERM', async (t) => {
  const daemon = await startDaemon(t);
  assert.equal(readFileSync(daemon.pidFile, 'latin1'), `${daemon.pid}\n`);
  assert.ok(isRunning(daemon.pid));
  assert.equal(readlinkSync(`/proc/${daemon.pid}/exe`), binary);
  assert.equal(statSync(daemon.pidFile).mode & 0o777, 0o644);
  assert.equal(spawnSync('flock', ['-n', daemon.pidFile, 'true']).status, 1, 'locked');
  await stop(daemon);
  assert.ok(!existsSync(daemon.pidFile));
});

test('a pid file in the foreground is the same', async (t) => {
  const pidFile = path.join(tempDir(t), 'wsproxy.pid');
  const proxy = await Proxy.start(t, 5900, { args: ['--pid-file', pidFile] });
  assert.equal(readFileSync(pidFile, 'latin1'), `${proxy.pid}\n`);
  await proxy.stop();
  assert.ok(!existsSync(pidFile));
});

test('a second start with the same pid file fails and names the first', async (t) => {
  const first = await startDaemon(t);
  const { code, stderr } = await runToEnd(t, ['-D', '--pid-file', first.pidFile, '127.0.0.1:0', '127.0.0.1:5900']);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`already running: process ${first.pid}\\b`));
  assert.equal(readFileSync(first.pidFile, 'latin1'), `${first.pid}\n`);
  assert.ok(await accepts(first.port));
});

test('after kill -9 the next start takes the pid file over', async (t) => {
  const first = await startDaemon(t);
  process.kill(first.pid, 'SIGKILL');
  await until('its end', () => !isRunning(first.pid));
  assert.equal(readFileSync(first.pidFile, 'latin1'), `${first.pid}\n`);
  const { code, stderr } = await runToEnd(t, ['-D', '--pid-file', first.pidFile, `127.0.0.1:${first.port}`, '127.0.0.1:5900']);
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`left behind by process ${first.pid}\\b`));
  const pid = Number(readFileSync(first.pidFile, 'latin1'));
  assert.notEqual(pid, first.pid);
  assert.ok(isRunning(pid));
});

const planted = [
  ['a symbolic link', (folder, file) => symlinkSync(path.join(folder, 'victim'), file), /symbolic link/],
  ['a file of something else', (folder, file) => writeFileSync(file, 'root:x:0:0\n'), /something else/],
  ['a directory that others may write to', (folder) => chmodSync(folder, 0o777), /written to by others/],
];
for (const [what, plant, words] of planted) {
  test(`${what} where the pid file should be: refused`, async (t) => {
    const folder = tempDir(t);
    const victim = path.join(folder, 'victim');
    writeFileSync(victim, '1\n');
    const file = path.join(folder, 'wsproxy.pid');
    plant(folder, file);
    const { code, stderr } = await runToEnd(t, ['--pid-file', file, '127.0.0.1:0', '127.0.0.1:5900']);
    assert.equal(code, 1);
    assert.match(stderr, words);
    assert.ok(stderr.includes(file), stderr);
    assert.equal(readFileSync(victim, 'latin1'), '1\n');
  });
}

// ---- privileges

/** Everything that an attacker in one of the processes would look for. */
function assertHarmless(pid) {
  const what = `process ${pid} (${statusOf(pid, 'Name')})`;
  assert.equal(statusOf(pid, 'Uid'), Array(4).fill(nobody.uid).join(' '), what);
  assert.equal(statusOf(pid, 'Gid'), Array(4).fill(nobody.gid).join(' '), what);
  assert.equal(statusOf(pid, 'Groups'), String(nobody.gid), what);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(statusOf(pid, set), '0000000000000000', `${set} of ${what}`);
  assert.equal(statusOf(pid, 'NoNewPrivs'), '1', what);
  assert.equal(statSync(`/proc/${pid}/environ`).uid, 0, `${what} can be traced`);
  assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /^Max core file size\s+0\s+0\s/m, what);
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    if (Number(fd) <= 2) continue;
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))[1], 8);
    assert.ok(flags & 0o2000000, `descriptor ${fd} of ${what} is inherited: ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`);
  }
}

test('--user nobody: neither the daemon nor a process of its can do harm', { skip: root }, async (t) => {
  const echo = await startEcho(t);
  const daemon = await startDaemon(t, { args: ['--user', 'nobody'], target: `localhost:${echo.port}` });
  await echoes(t, daemon.port); // by a name, so the look-up helper is up as well
  const client = await WebSocketClient.open(t, { port: daemon.port }); // a live session has descriptors, too
  await client.send(Buffer.from('x'));
  await client.bytes(1);
  const family = familyOf(daemon.pid);
  assert.ok(family.length > 1, 'there is the look-up helper');
  for (const pid of family) assertHarmless(pid);
});

test('--user in the foreground, by number and with a group by name', { skip: root }, async (t) => {
  const proxy = await Proxy.start(t, 5900, { args: ['--user', String(nobody.uid), '--group', 'daemon'] });
  assert.equal(statusOf(proxy.pid, 'Uid'), Array(4).fill(nobody.uid).join(' '));
  const daemon = readFileSync('/etc/group', 'latin1').match(/^daemon:[^:]*:(\d+)/m)[1];
  assert.equal(statusOf(proxy.pid, 'Gid'), Array(4).fill(daemon).join(' '));
  assert.equal(statusOf(proxy.pid, 'Groups'), daemon);
});

test('--user nobody: the pid file in a folder of root\'s is emptied at the end, and the next start takes it', { skip: root }, async (t) => {
  const daemon = await startDaemon(t, { args: ['--user', 'nobody'] });
  await stop(daemon);
  assert.equal(existsSync(daemon.pidFile) ? readFileSync(daemon.pidFile, 'latin1') : '', '');
  const again = await runToEnd(t, ['-D', '--user', 'nobody', '--pid-file', daemon.pidFile, `127.0.0.1:${daemon.port}`, '127.0.0.1:5900']);
  assert.equal(again.code, 0, again.stderr);
  assert.ok(isRunning(Number(readFileSync(daemon.pidFile, 'latin1'))));
});

test('a port below 1024, bound before root is given up', { skip: root }, async (t) => {
  let port = 0;
  for (let tries = 0; tries < 50 && port === 0; tries++) {
    const candidate = 600 + Math.floor(Math.random() * 400);
    if (!(await accepts(candidate))) port = candidate;
  }
  const daemon = await startDaemon(t, { args: ['--user', 'nobody'], listen: `127.0.0.1:${port}` });
  assert.ok(await accepts(port));
  assert.equal(statusOf(daemon.pid, 'Uid').split(' ')[0], String(nobody.uid));
});

const identities = [
  ['an unknown user', ['--user', 'no-such-user'], /no user 'no-such-user'/],
  ['an unknown group', ['--user', 'nobody', '--group', 'no-such-group'], /no group 'no-such-group'/],
  ['root as the user to become', ['--user', 'root'], /root/],
  ['a chroot that is not there', ['--user', 'nobody', '--chroot', '/no/such/folder'], /\/no\/such\/folder/],
];
for (const [what, args, words] of identities) {
  test(`${what}: refused by name`, { skip: root }, async (t) => {
    const { code, stderr } = await runToEnd(t, [...args, '127.0.0.1:0', '127.0.0.1:5900']);
    assert.notEqual(code, 0);
    assert.match(stderr, words);
  });
}

/** The binary where somebody who is not root may run it. */
function publicBinary(t) {
  const folder = tempDir(t);
  chmodSync(folder, 0o755);
  const copy = path.join(folder, 'wsproxy');
  assert.equal(spawnSync('cp', [binary, copy]).status, 0);
  chmodSync(copy, 0o755);
  return copy;
}

test('without root only the same user is accepted', { skip: root }, async (t) => {
  const copy = publicBinary(t);
  const as = (args) => spawnSync(copy, [...args, '127.0.0.1:0', '127.0.0.1:5900'], { ...nobody, cwd: '/', encoding: 'utf8', timeout: 10_000 });
  const other = as(['--user', 'daemon']);
  assert.notEqual(other.status, 0);
  assert.match(other.stderr, /only root can become user 'daemon'/);
  const jail = as(['--user', 'nobody', '--chroot', '/']);
  assert.notEqual(jail.status, 0);
  assert.match(jail.stderr, /root/);
  const same = start(t, copy, ['--user', 'nobody', '127.0.0.1:0', '127.0.0.1:5900'], { ...nobody, cwd: '/' });
  await until('the ready line', () => / ready: /.test(same.output), { last: () => same.output });
});

test('root without --user is warned about', { skip: root }, async (t) => {
  const proxy = await Proxy.start(t, 5900);
  await proxy.logged(/warning .*running as root.*--user/);
});

test('--chroot: the daemon sees nothing else, and names are still looked up', { skip: root }, async (t) => {
  const echo = await startEcho(t);
  const jail = tempDir(t);
  chmodSync(jail, 0o755);
  const daemon = await startDaemon(t, { args: ['--user', 'nobody', '--chroot', jail], target: `localhost:${echo.port}` });
  assert.equal(readlinkSync(`/proc/${daemon.pid}/root`), jail);
  assert.equal(readlinkSync(`/proc/${daemon.pid}/cwd`), jail);
  await echoes(t, daemon.port);
  await echoes(t, daemon.port);
});

// ---- limits and secrets

test('more --max-sessions than descriptors allow: refused with both figures', async (t) => {
  const { code, stderr } = await runToEnd(t, ['--max-sessions', '1000000', '127.0.0.1:0', '127.0.0.1:5900']);
  assert.equal(code, 1);
  assert.match(stderr, /\b1000000\b/);
  assert.match(stderr, /LimitNOFILE/);
});

test('the key\'s password cannot be read from the command line of the process', async (t) => {
  const certificate = await makeCertificate(t);
  const secret = 'sesame-open-thyself';
  const locked = path.join(tempDir(t), 'locked.pem');
  assert.equal(spawnSync('openssl', ['pkey', '-in', certificate.key, '-aes256', '-passout', `pass:${secret}`, '-out', locked]).status, 0);
  for (const args of [['--key-password', secret], [`--key-password=${secret}`]]) {
    const proxy = await Proxy.start(t, 5900, { args: ['--cert', certificate.cert, '--key', locked, ...args] });
    for (const pid of familyOf(proxy.pid)) {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      assert.match(line, /--key-password/);
      assert.ok(!line.includes(secret), JSON.stringify(line));
    }
  }
});

// ---- systemd and its like

const activator = spawnSync('systemd-socket-activate', ['--version']).status === 0 ? false : 'there is no systemd-socket-activate (package systemd)';

test('two named sockets from systemd-socket-activate are served', { skip: activator }, async (t) => {
  const echo = await startEcho(t);
  const port = await refusedPort();
  const unix = path.join(tempDir(t), 'ws.sock');
  const child = start(t, 'systemd-socket-activate', [
    '-l', `127.0.0.1:${port}`, '-l', unix, '--fdname=ws:local', binary, '--listen', 'systemd', '--target', `127.0.0.1:${echo.port}`,
  ]);
  await until('both sockets', () => existsSync(unix) && /Listening on .*ws\.sock/.test(child.output), { last: () => child.output });
  await echoes(t, port); // the first connection has it started
  const socket = net.connect(unix);
  scopeOf(t).add(() => socket.destroy());
  let answer = '';
  socket.on('data', (data) => (answer += data)).on('error', (error) => (answer = String(error)));
  socket.write('GET /no-such-file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await until('an answer on the Unix socket', () => /^HTTP\/1\.1 404 /.test(answer), { last: () => answer + child.output });
  const environment = readFileSync(`/proc/${child.pid}/cmdline`, 'latin1');
  assert.ok(environment.includes('wsproxy'), 'it is the same process, by exec');
});

test('--listen systemd without systemd: refused', async (t) => {
  const { code, stderr } = await runToEnd(t, ['--listen', 'systemd', '--target', '127.0.0.1:5900']);
  assert.equal(code, 1);
  assert.match(stderr, /socket/i);
});

/** A service manager's end of NOTIFY_SOCKET: `.output` has a line for each datagram, "\n" in it shown as "|". */
async function startManager(t, address) {
  const program = `use Socket; $| = 1; my $name = $ARGV[0]; $name =~ s/^@/\\0/; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, pack_sockaddr_un($name)) or die;
    print "listening\\n"; while (defined recv(S, my $text, 4096, 0)) { $text =~ tr/\\n/|/; print "$text\\n"; }`;
  const child = start(t, 'perl', ['-e', program, address]);
  await until('the notification socket', () => /^listening\n/.test(child.output), { last: () => child.output });
  return {
    lines: () => child.output.split('\n').slice(1, -1),
    async gets(pattern, count = 1) {
      await until(`${count} of ${pattern}`, () => this.lines().filter((line) => pattern.test(line)).length >= count, { last: () => child.output });
    },
  };
}

/** Starts the daemon in the foreground with more in its environment. */
function startWith(t, env, args) {
  return start(t, binary, args, { env: { ...process.env, ...env } });
}

for (const kind of ['a path', 'an abstract name']) {
  test(`READY and STOPPING at ${kind}, and the watchdog is fed in between`, async (t) => {
    const address = kind === 'a path' ? path.join(tempDir(t), 'notify') : `@wsproxy-e2e-${process.pid}`;
    const manager = await startManager(t, address);
    const port = await refusedPort();
    const child = startWith(t, { NOTIFY_SOCKET: address, WATCHDOG_USEC: '200000' }, [`127.0.0.1:${port}`, '127.0.0.1:5900']);
    await manager.gets(/^READY=1(\||$)/);
    assert.ok(await accepts(port), 'READY means ready');
    await manager.gets(/^WATCHDOG=1$/, 5);
    child.kill('SIGTERM');
    await manager.gets(/^STOPPING=1(\||$)/);
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const lines = manager.lines();
    const of = (pattern) => lines.findIndex((line) => pattern.test(line));
    assert.ok(of(/^READY=1/) < of(/^STOPPING=1/), lines.join('\n'));
    assert.doesNotMatch(lines.join('\n'), /MAINPID/, 'in the foreground the manager knows our pid');
  });
}

test('a stopped daemon no longer feeds the watchdog', async (t) => {
  const address = path.join(tempDir(t), 'notify');
  const manager = await startManager(t, address);
  const child = startWith(t, { NOTIFY_SOCKET: address, WATCHDOG_USEC: '100000' }, ['127.0.0.1:0', '127.0.0.1:5900']);
  await manager.gets(/^WATCHDOG=1$/, 3);
  child.kill('SIGSTOP');
  await until('it to stop', () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1')));
  const fed = manager.lines().length;
  await new Promise((resolve) => setTimeout(resolve, 500)); // five intervals: that nothing comes takes time to see
  assert.ok(manager.lines().length <= fed + 1, 'but for one on its way');
  child.kill('SIGCONT');
  await manager.gets(/^WATCHDOG=1$/, fed + 3);
});

test('with -D, READY tells the pid', async (t) => {
  const address = path.join(tempDir(t), 'notify');
  const manager = await startManager(t, address);
  const pidFile = path.join(tempDir(t), 'wsproxy.pid');
  endWithTest(t, pidFile);
  const { code, stderr } = await runToEnd(t, ['-D', '--pid-file', pidFile, '127.0.0.1:0', '127.0.0.1:5900'], { env: { ...process.env, NOTIFY_SOCKET: address } });
  assert.equal(code, 0, stderr);
  await manager.gets(new RegExp(`^READY=1\\|MAINPID=${readFileSync(pidFile, 'latin1').trim()}(\\||$)`));
});

test('READY and STOPPING get out of a chroot', { skip: root }, async (t) => {
  const address = path.join(tempDir(t), 'notify');
  const manager = await startManager(t, address);
  const jail = tempDir(t);
  chmodSync(jail, 0o755);
  const child = startWith(t, { NOTIFY_SOCKET: address }, ['--user', 'nobody', '--chroot', jail, '127.0.0.1:0', '127.0.0.1:5900']);
  await manager.gets(/^READY=1/);
  child.kill('SIGTERM');
  await manager.gets(/^STOPPING=1/);
});

test('a service manager that is gone does not hold it up', async (t) => {
  const address = path.join(tempDir(t), 'notify');
  const child = startWith(t, { NOTIFY_SOCKET: address }, ['127.0.0.1:0', '127.0.0.1:5900']);
  await until('the ready line', () => / ready: /.test(child.output), { last: () => child.output });
  rmSync(address, { force: true });
  child.kill('SIGTERM');
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

// systemd, as PID 1 of a container with the files that make install puts there: every promise of the units, and the
// README's commands. One boot for all; each test begins with nothing running.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { Container, noContainer } from './support/container.mjs';
import { HttpClient } from './support/http.mjs';
import { make, missing } from './support/installed.mjs';
import { binary } from './support/proxy.mjs';
import { fileScope, start, tempDir, until } from './support/scope.mjs';
import { startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const skip = noContainer();
const scope = fileScope();
const socket = '/run/wsproxy/web.sock';
const conf = '/etc/wsproxy/wsproxy.conf';
let container;
let certificate;

/** A target that says which one it is, then sends everything back; reached from inside as unix:/shared/NAME. */
async function startTarget(t, name) {
  const path = `${container.shared}/${name}`;
  await startServer(t, (each) => {
    each.write(name);
    each.pipe(each);
  }, { path });
  chmodSync(path, 0o777);
}

test.before(async () => {
  if (skip) return;
  container = await Container.boot(scope);
  certificate = await makeCertificate(scope);
  // make install, then what the README says for systemd
  await make(scope, ['install-files', `DESTDIR=${container.shared}/files`]);
  writeFileSync(`${container.shared}/files/usr/local/bin/wsproxy`, readFileSync(binary), { mode: 0o755 });
  await container.do('sh', '-c', 'tar -C /shared/files -c . | tar -C / -x --no-same-owner --no-overwrite-dir');
  await container.do('systemd-sysusers');
  await container.do('systemctl', 'daemon-reload');
  await startTarget(scope, 'one');
  await startTarget(scope, 'two');
});

const write = (file, text) => writeFileSync(container.path(file), text);
const configure = (lines = '', listen = `unix:${socket}`) => write(conf, `listen = ${listen}\ntarget = unix:/shared/one\nunix-listen-mode = 0666\n${lines}`);

/** Adds to a unit until the test ends. */
async function dropIn(t, unit, text) {
  const folder = container.path(`/etc/systemd/system/${unit}.d`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/test.conf`, text);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await container.do('systemctl', 'daemon-reload');
}

/** A session through the Unix socket; it has heard from its target. */
async function session(t, target = 'one', at = socket) {
  const client = await WebSocketClient.open(t, { socketPath: container.path(at) });
  assert.equal((await client.bytes(target.length)).toString(), target);
  return client;
}

async function echoes(client, text = 'still here') {
  await client.send(Buffer.from(text));
  assert.equal((await client.bytes(text.length)).toString(), text);
}

const pid = (unit = 'wsproxy.service') => container.show(unit, 'MainPID');
const status = (unit = 'wsproxy.service') => container.show(unit, 'StatusText');

function scenario(name, body) {
  test(name, { skip }, async (t) => {
    t.after(async () => {
      const sockets = ['wsproxy.socket', 'wsproxy-tls.socket', 'wsproxy@one.socket', 'wsproxy@two.socket'];
      await container.tell('systemctl', 'stop', ...sockets, 'wsproxy.service', 'wsproxy@one.service', 'wsproxy@two.service');
      await container.tell('systemctl', 'reset-failed');
      await container.tell('systemctl', 'daemon-reload');
      rmSync(container.path(conf), { force: true });
    });
    await body(t);
  });
}

scenario('without a configuration, start is no failure and nothing runs', async () => {
  await container.do('systemctl', 'start', 'wsproxy.service');
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'inactive');
});

scenario('start comes back when it serves, and systemctl status counts the sessions', async (t) => {
  configure();
  await container.do('systemctl', 'enable', '--now', 'wsproxy.service');
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'active');
  const client = await session(t);
  await echoes(client);
  await until('the session in the status', async () => /\b1 session\b/.test(await status()), { last: status });
  await client.finish();
  await until('none in the status', async () => /\b(0|no) sessions\b/.test(await status()), { last: status });
  assert.match(await container.do('ps', '-o', 'user=', '-p', await pid()), /^wsproxy\s*$/);
});

scenario('a wrong configuration at start: systemctl says so, and it is not tried again', async () => {
  configure('no-such-option = 1\n');
  assert.notEqual((await container.tell('systemctl', 'start', 'wsproxy.service')).code, 0);
  assert.equal(await container.show('wsproxy.service', 'ExecMainStatus'), '78');
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'failed');
  assert.equal(await container.show('wsproxy.service', 'NRestarts'), '0');
  assert.match(await container.do('journalctl', '-u', 'wsproxy.service', '--no-pager'), /wsproxy\.conf:4.*no-such-option/);
});

scenario('reload: new sessions by the new configuration, the live one goes on', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const before = await pid();
  const old = await session(t);
  write(conf, `listen = unix:${socket}\ntarget = unix:/shared/two\nunix-listen-mode = 0666\n`);
  await container.do('systemctl', 'reload', 'wsproxy.service');
  await until('a session with the new target', async () => {
    const client = await WebSocketClient.open(t, { socketPath: container.path(socket) });
    const said = (await client.bytes(3)).toString();
    await client.finish();
    return said === 'two';
  });
  await echoes(old);
  assert.equal(await pid(), before);
});

scenario('reload of a wrong configuration fails and changes nothing', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const before = await pid();
  const old = await session(t);
  configure('heartbeat = often\n');
  const { code } = await container.tell('systemctl', 'reload', 'wsproxy.service');
  assert.notEqual(code, 0);
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'active');
  await echoes(old);
  // The same by signal, which nobody has checked before.
  await container.do('systemctl', 'kill', '--kill-whom=main', '--signal=HUP', 'wsproxy.service');
  await until('the failure in the status', async () => /reload|configuration/i.test(await status()), { last: status });
  await echoes(old);
  await echoes(await session(t));
  assert.equal(await pid(), before);
});

scenario('stop: clients get 1001, the unit ends without a failure and leaves no socket', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const client = await session(t);
  const [closed] = await Promise.all([
    client.closed().then(async (end) => {
      await client.finish({ code: 1001 });
      return end;
    }),
    container.do('systemctl', 'stop', 'wsproxy.service'),
  ]);
  assert.equal(closed.code, 1001);
  assert.equal(await container.show('wsproxy.service', 'Result'), 'success');
  assert.equal(existsSync(container.path(socket)), false);
});

scenario('a crash: it is started again and serves', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  await container.do('systemctl', 'kill', '--kill-whom=main', '--signal=SEGV', 'wsproxy.service');
  await until('a restart', async () => (await container.show('wsproxy.service', 'NRestarts')) === '1');
  await until('it to be active', async () => (await container.show('wsproxy.service', 'ActiveState')) === 'active');
  await echoes(await session(t));
});

scenario('a daemon that hangs is killed by the watchdog and started again', async (t) => {
  configure();
  await dropIn(t, 'wsproxy.service', '[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n');
  await container.do('systemctl', 'start', 'wsproxy.service');
  // Two intervals of good health first.
  const began = Date.now();
  await until('two intervals', async () => Date.now() - began > 2200, { every: 200 });
  assert.equal(await container.show('wsproxy.service', 'NRestarts'), '0');
  await container.do('kill', '-STOP', await pid());
  await until('a restart', async () => (await container.show('wsproxy.service', 'NRestarts')) === '1', { every: 100 });
  await until('it to be active', async () => (await container.show('wsproxy.service', 'ActiveState')) === 'active');
  assert.match(await container.do('journalctl', '-u', 'wsproxy.service', '--no-pager'), /Watchdog timeout/);
  await echoes(await session(t));
});

const curl = (...args) => container.tell('curl', '-sk', '--max-time', '10', '-o', '/dev/null', '-w', '%{http_code} %{errormsg}', ...args);

scenario('socket activation: two named sockets, one below 1024, and no connection refused by a restart', async (t) => {
  for (const name of ['cert', 'key']) write(`/etc/wsproxy/${name}.pem`, readFileSync(certificate[name]));
  await container.do('chown', '-R', 'root:wsproxy', '/etc/wsproxy');
  configure('cert = /etc/wsproxy/cert.pem\nkey = /etc/wsproxy/key.pem\n', 'systemd');
  await container.do('chmod', '-R', 'u=rwX,g=rX,o=rX', '/etc/wsproxy');
  await container.do('systemctl', 'enable', '--now', 'wsproxy.socket', 'wsproxy-tls.socket');
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'inactive');
  assert.match((await curl('http://127.0.0.1:6080/')).stdout, /^200/);
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'active');
  assert.match((await curl('https://127.0.0.1:443/')).stdout, /^200/);
  assert.match((await curl('http://[::1]:6080/')).stdout, /^200/);
  const before = await pid();
  const restart = container.do('systemctl', 'restart', 'wsproxy.service');
  let restarted = false;
  restart.then(() => (restarted = true), () => (restarted = true));
  let asked = 0;
  while (!restarted || asked < 5) {
    const { stdout } = await curl('http://127.0.0.1:6080/');
    // One that was accepted just before may be cut, none is refused.
    assert.doesNotMatch(stdout, /refused/i);
    asked++;
  }
  await restart;
  assert.notEqual(await pid(), before);
  t.diagnostic(`${asked} requests during the restart`);
});

scenario('a hand-over: the old process keeps its session, the new one serves, and the old ends with its last', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const before = await pid();
  const old = await session(t);
  configure('heartbeat = 60\n');
  assert.match(await container.do('/usr/local/lib/wsproxy/hand-over'), /wsproxy\.service: process \d+ serves/);
  const now = await pid();
  assert.notEqual(now, before);
  await echoes(old);
  const young = await session(t);
  await echoes(young);
  // What counts now is the new one's: status, watchdog, reload.
  await until('one session in the status', async () => /\b1 session\b/.test(await status()), { last: status });
  assert.equal(await container.show('wsproxy.service', 'ActiveState'), 'active');
  await container.do('systemctl', 'reload', 'wsproxy.service');
  await old.finish();
  await until('the end of the old process', () => !existsSync(container.path(`/proc/${before}`)));
  await echoes(young);
  assert.equal(await pid(), now);
  // It is supervised although systemd has not started it.
  await container.do('kill', '-KILL', now);
  await until('a restart', async () => (await container.show('wsproxy.service', 'NRestarts')) === '1');
  await until('a session again', () => session(t).catch(() => null), { every: 100 });
});

scenario('stop after a hand-over ends both processes, and both tell their clients', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const clients = [await session(t)];
  await container.do('/usr/local/lib/wsproxy/hand-over');
  clients.push(await session(t));
  const ends = clients.map(async (client) => {
    const { code } = await client.closed();
    await client.finish({ code });
    return code;
  });
  await container.do('systemctl', 'stop', 'wsproxy.service');
  assert.deepEqual(await Promise.all(ends), [1001, 1001]);
  assert.equal((await container.tell('pgrep', '-x', 'wsproxy')).stdout, '');
  assert.equal(existsSync(container.path(socket)), false);
});

scenario('a hand-over that cannot be: the old process goes on as before', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const before = await pid();
  const old = await session(t);
  configure('no-such-option = 1\n');
  const { code } = await container.tell('/usr/local/lib/wsproxy/hand-over', '1');
  assert.equal(code, 1);
  assert.equal(await pid(), before);
  await echoes(old);
  await echoes(await session(t));
  assert.match(await container.do('journalctl', '-u', 'wsproxy.service', '--no-pager'), /no hand-over, this process goes on/);
});

scenario('a hand-over under socket activation: 200 connections meanwhile, none refused or cut', async () => {
  configure('', 'systemd');
  await container.do('systemctl', 'start', 'wsproxy.socket');
  assert.match((await curl('http://127.0.0.1:6080/')).stdout, /^200/);
  const before = await pid();
  const asked = container.do('sh', '-c', 'i=0; while [ $i -lt 200 ]; do curl -s --max-time 10 -o /dev/null http://127.0.0.1:6080/ || echo failed $?; i=$((i+1)); done');
  for (let i = 0; i < 3; i++) await container.do('/usr/local/lib/wsproxy/hand-over');
  assert.equal(await asked, '');
  assert.notEqual(await pid(), before);
});

scenario('an instance of the template has its own configuration, and stops alone', async (t) => {
  configure();
  write('/etc/wsproxy/one.conf', 'listen = unix:/run/wsproxy-one/web.sock\ntarget = unix:/shared/two\nunix-listen-mode = 0666\n');
  await container.do('systemctl', 'start', 'wsproxy.service', 'wsproxy@one.service');
  const first = await session(t);
  await echoes(await session(t, 'two', '/run/wsproxy-one/web.sock'));
  await container.do('systemctl', 'stop', 'wsproxy@one.service');
  await echoes(first);
});

scenario('two instances share a port: both serve, and while one is restarted nobody is refused', async () => {
  configure('', 'systemd');
  for (const name of ['one', 'two']) {
    rmSync(container.path(`/etc/wsproxy/${name}.conf`), { force: true });
    symlinkSync('wsproxy.conf', container.path(`/etc/wsproxy/${name}.conf`));
  }
  await container.do('systemctl', 'start', 'wsproxy@one.socket', 'wsproxy@two.socket');
  const active = async (name) => (await container.show(`wsproxy@${name}.service`, 'ActiveState')) === 'active';
  await until('connections to both', async () => {
    assert.match((await curl('http://127.0.0.1:6080/')).stdout, /^200/);
    return (await active('one')) && (await active('two'));
  });
  const asked = container.do('sh', '-c', 'i=0; while [ $i -lt 60 ]; do curl -s --max-time 10 -o /dev/null http://127.0.0.1:6080/ || echo failed $?; i=$((i+1)); done');
  for (const name of ['one', 'two', 'one']) await container.do('systemctl', 'restart', `wsproxy@${name}.service`);
  assert.equal(await asked, '');
});

scenario('the journal has a session\'s end as fields', async (t) => {
  configure();
  await container.do('systemctl', 'start', 'wsproxy.service');
  const main = await pid();
  const client = await session(t);
  await client.finish();
  const entries = async () =>
    (await container.do('journalctl', '-o', 'json', '--no-pager', `_PID=${main}`)).trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const entry = await until('the closing line', async () => (await entries()).find((each) => each.WSPROXY_REASON), { every: 100, last: async () => JSON.stringify(await entries()) });
  assert.match(entry.WSPROXY_SESSION, /^s?\d+$/);
  assert.equal(entry.WSPROXY_TARGET, 'unix:/shared/one');
  assert.ok(entry.WSPROXY_CLIENT !== undefined, JSON.stringify(entry));
  assert.equal(entry.SYSLOG_IDENTIFIER, 'wsproxy');
  assert.equal(entry.PRIORITY, '6');
  // and by a field, as an administrator asks
  const found = await container.do('journalctl', '-o', 'cat', '--no-pager', `_PID=${main}`, `WSPROXY_SESSION=${entry.WSPROXY_SESSION}`);
  assert.match(found, /closed/);
});

test('systemd-socket-activate starts it with the sockets of two names', { skip: missing('systemd-socket-activate') }, async (t) => {
  const folder = tempDir(t);
  const paths = ['a', 'b'].map((name) => `${folder}/${name}`);
  const target = await startServer(t, (each) => each.pipe(each));
  start(t, 'systemd-socket-activate', [...paths.flatMap((path) => ['-l', path]), '--fdname=ws:wss', binary, '--listen', 'systemd', '--target', `127.0.0.1:${target.port}`]);
  for (const path of paths) {
    await until('the socket', () => existsSync(path));
    const http = await HttpClient.open(t, { socketPath: path });
    assert.equal((await http.get('/')).status, 200);
  }
  await echoes(await WebSocketClient.open(t, { socketPath: paths[1] }), 'through');
});

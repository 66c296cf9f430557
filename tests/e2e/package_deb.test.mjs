// The Debian package: built twice, looked at by lintian, and in a container installed, upgraded, removed and purged.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { Container, noContainer } from './support/container.mjs';
import { missing, root } from './support/installed.mjs';
import { fileScope, run, tempDir, until } from './support/scope.mjs';
import { startServer } from './support/servers.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const skip = missing('dpkg-buildpackage', 'dh', 'lintian');
const scope = fileScope();
let built;

/** scripts/make-deb into a folder of its own; gives the path of the package. */
async function build(env = {}) {
  const folder = tempDir(scope);
  // Debug symbols would be a package of their own, which takes as long as all else.
  const clean = { ...process.env, DEB_BUILD_OPTIONS: 'noautodbgsym', ...env };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'BUILD']) delete clean[name];
  const { code, stdout, stderr } = await run(scope, `${root}/scripts/make-deb`, [folder], { timeout: 200_000, env: clean, cwd: '/' });
  assert.equal(code, 0, stdout + stderr);
  return stdout.trim();
}

test.before(async () => {
  if (!skip) built = await build();
});

test('lintian finds no error, no warning and nothing to remark', { skip }, async (t) => {
  const changes = readdirSync(built.replace(/[^/]*$/, '')).find((name) => name.endsWith('.changes'));
  // The compiler cuts texts into immediate operands, and lintian reads "databas".
  const options = ['--fail-on', 'error,warning,info', '-I', '--allow-root', '--suppress-tags', 'spelling-error-in-binary'];
  const { code, stdout, stderr } = await run(t, 'lintian', [...options, built.replace(/[^/]*$/, changes)], { timeout: 120_000 });
  assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' });
});

test('built again at another time and place, it is the same to the byte', { skip }, async () => {
  const again = await build({ TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8', HOME: '/nonexistent' });
  const sum = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
  assert.equal(sum(again), sum(built));
});

test('it installs, starts, upgrades without cutting a session, is removed and purged', { skip: skip || noContainer() }, async (t) => {
  const container = await Container.boot(t);
  // This machine may forbid packages to start services.
  await container.do('rm', '-f', '/usr/sbin/policy-rc.d');
  copyFileSync(built, `${container.shared}/wsproxy.deb`);
  const target = `${container.shared}/target`;
  await startServer(t, (socket) => socket.pipe(socket), { path: target });
  chmodSync(target, 0o777);
  const socket = container.path('/run/wsproxy/web.sock');
  const open = () => WebSocketClient.open(t, { socketPath: socket });
  const echoes = async (client) => {
    await client.send('still here');
    assert.equal((await client.bytes(10)).toString(), 'still here');
  };
  const active = () => container.show('wsproxy.service', 'ActiveState');
  const files = async () => (await container.do('sh', '-c', 'find /etc /usr /lib /var/lib/systemd /var/log /run -xdev')).split('\n').filter((line) => /wsproxy/.test(line)).sort();
  const before = await files();

  // As on a machine without a configuration: no failure, nothing runs.
  await container.do('dpkg', '-i', '/shared/wsproxy.deb');
  assert.equal(await active(), 'inactive');
  assert.equal((await container.do('systemctl', 'is-enabled', 'wsproxy.service')).trim(), 'enabled');
  assert.equal((await container.tell('systemctl', 'is-enabled', 'wsproxy.socket')).stdout.trim(), 'disabled');
  assert.match(await container.do('/usr/lib/wsproxy/websockify', '--version'), /^wsproxy /);

  await container.do('install', '-d', '/etc/wsproxy');
  writeFileSync(container.path('/etc/wsproxy/wsproxy.conf'), 'listen = unix:/run/wsproxy/web.sock\ntarget = unix:/shared/target\nunix-listen-mode = 0666\n');
  await container.do('systemctl', 'restart', 'wsproxy');
  const session = await open();
  await echoes(session);

  // The upgrade: the same content with a higher number. The session lives on in the old process.
  await container.do('sh', '-ec', `cd /tmp && dpkg-deb -R /shared/wsproxy.deb tree && sed -i 's/^Version: .*/&+next/' tree/DEBIAN/control &&
    dpkg-deb --root-owner-group -b tree next.deb`);
  const old = await container.show('wsproxy.service', 'MainPID');
  const said = await container.do('dpkg', '-i', '/tmp/next.deb');
  const now = await container.show('wsproxy.service', 'MainPID');
  assert.notEqual(now, old, said);
  assert.equal(await active(), 'active');
  await echoes(session);
  await echoes(await open());
  assert.match(await container.do('readlink', `/proc/${now}/exe`), /^\/usr\/bin\/wsproxy$/m);
  assert.match(await container.do('readlink', `/proc/${old}/exe`), /deleted/);
  await session.finish();
  await until('the end of the old process with its last session', () => !existsSync(container.path(`/proc/${old}`)));
  assert.equal(await active(), 'active');

  const removed = await container.do('dpkg', '--remove', 'wsproxy');
  const running = await container.tell('sh', '-c', 'ps -C wsproxy -o pid,ppid,stat,args --no-headers');
  assert.equal(running.stdout, '', `${removed}${(await container.tell('journalctl', '-u', 'wsproxy', '--no-pager', '-n', '20')).stdout}`);
  assert.ok(existsSync(container.path('/etc/init.d/wsproxy')), 'configuration stays until purge');
  await container.do('rm', '/etc/wsproxy/wsproxy.conf');
  await container.do('dpkg', '--purge', 'wsproxy');
  assert.deepEqual(await files(), before);
});

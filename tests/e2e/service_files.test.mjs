// What make install puts where, that uninstall takes it away again, and that the unit files are right and tight.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { install, make, missing } from './support/installed.mjs';
import { run, tempDir } from './support/scope.mjs';

const units = ['wsproxy.service', 'wsproxy@.service', 'wsproxy.socket', 'wsproxy@.socket', 'wsproxy-tls.socket'];

/** Every file, link and folder below, with its mode and content. */
function tree(folder) {
  const list = execFileSync('find', ['.', '-printf', '%y %m %p %l\n'], { cwd: folder, encoding: 'utf8' });
  const sums = execFileSync('sh', ['-c', 'find . -type f -exec sha256sum {} +'], { cwd: folder, encoding: 'utf8' });
  return [...list.trim().split('\n'), ...sums.trim().split('\n')].sort();
}

/** The folders of a usual system and somebody's own files in some of them. */
function usualSystem(folder) {
  for (const each of [
    'etc/init.d', 'etc/logrotate.d', 'etc/wsproxy', 'usr/local/bin', 'usr/local/share/man/man8', 'usr/local/share/man/man5', 'usr/local/share/doc',
    'usr/local/share/bash-completion/completions', 'usr/local/lib/systemd/system', 'usr/local/lib/sysusers.d',
  ]) {
    mkdirSync(`${folder}/${each}`, { recursive: true });
  }
  writeFileSync(`${folder}/etc/wsproxy/wsproxy.conf`, 'target = localhost:5900\n');
  writeFileSync(`${folder}/usr/local/bin/other`, '');
}

test('make install, then make uninstall: the tree is as it was before', async (t) => {
  const folder = tempDir(t);
  usualSystem(folder);
  const before = tree(folder);
  const where = [`DESTDIR=${folder}`];
  await make(t, ['install-files', ...where]); // make install, without the building before it
  const between = tree(folder);
  for (const name of [
    'usr/local/bin/wsproxy', 'usr/local/bin/websockify', 'usr/local/share/man/man8/wsproxy.8', 'usr/local/lib/sysusers.d/wsproxy.conf', 'etc/init.d/wsproxy',
    'etc/logrotate.d/wsproxy', 'usr/local/share/doc/wsproxy/examples/supervisor-program.conf', ...units.map((unit) => `usr/local/lib/systemd/system/${unit}`),
  ]) {
    assert.ok(between.some((line) => line.includes(` ./${name} `)), name);
  }
  assert.deepEqual(between.filter((line) => line.includes('etc/wsproxy/wsproxy.conf')), before.filter((line) => line.includes('etc/wsproxy/wsproxy.conf')));
  await make(t, ['uninstall', ...where]);
  assert.deepEqual(tree(folder), before);
});

test('the websockify link leads to wsproxy; one of another program is left alone', async (t) => {
  const folder = tempDir(t);
  await make(t, ['install-files', `DESTDIR=${folder}`, 'prefix=/usr', 'websockifydir=/usr/lib/wsproxy']);
  assert.equal(readlinkSync(`${folder}/usr/lib/wsproxy/websockify`), '../../bin/wsproxy');
  const { stdout } = await run(t, `${folder}/usr/lib/wsproxy/websockify`, ['--version']);
  assert.match(stdout, /^wsproxy /);
  mkdirSync(`${folder}/usr/local/bin`, { recursive: true });
  symlinkSync('../share/theirs', `${folder}/usr/local/bin/websockify`);
  mkdirSync(`${folder}/usr/local/share`);
  writeFileSync(`${folder}/usr/local/share/theirs`, '');
  for (const goal of ['install-files', 'uninstall']) {
    await make(t, [goal, `DESTDIR=${folder}`]);
    assert.equal(readlinkSync(`${folder}/usr/local/bin/websockify`), '../share/theirs', goal);
  }
});

test('no placeholder is left in what is installed', async (t) => {
  const { top } = await install(t);
  const { stdout } = await run(t, 'grep', ['-rIlE', '@[a-z]+@', top]);
  assert.equal(stdout, '');
});

/** The units in a folder of their own, as installed. */
async function installedUnits(t) {
  const at = await install(t);
  const folder = tempDir(t);
  for (const unit of units) copyFileSync(`${at.prefix}/lib/systemd/system/${unit}`, `${folder}/${unit}`);
  return folder;
}

test('systemd-analyze security: the services are exposed by 1.5 at most', { skip: missing('systemd-analyze') }, async (t) => {
  const folder = await installedUnits(t);
  for (const unit of units.filter((name) => name.endsWith('.service'))) {
    const { code, stdout, stderr } = await run(t, 'systemd-analyze', ['security', '--offline=true', '--threshold=15', '--no-pager', `./${unit}`], { cwd: folder });
    assert.equal(code, 0, `${unit}: ${stdout}${stderr}`);
    assert.ok(Number(/Overall exposure level for .*: ([\d.]+)/.exec(stdout)[1]) <= 1.5, stdout);
  }
});

test('systemd-analyze verify has nothing to say about the units', { skip: missing('systemd-analyze') }, async (t) => {
  const folder = await installedUnits(t);
  const instances = ['wsproxy@one.service', 'wsproxy@one.socket'];
  for (const unit of instances) copyFileSync(`${folder}/${unit.replace('one', '')}`, `${folder}/${unit}`);
  for (const unit of [...units.filter((name) => !name.includes('@')), ...instances]) {
    // Its manual is in the test's folder, not where man looks.
    const { code, stdout, stderr } = await run(t, 'systemd-analyze', ['verify', '--man=no', `./${unit}`], { cwd: folder });
    assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' }, unit);
  }
});

test('systemd-sysusers makes the user of the units', { skip: missing('systemd-sysusers') }, async (t) => {
  const at = await install(t);
  const folder = tempDir(t);
  mkdirSync(`${folder}/etc`);
  const { code, stderr } = await run(t, 'systemd-sysusers', [`--root=${folder}`, '--replace=/usr/lib/sysusers.d/wsproxy.conf', `${at.prefix}/lib/sysusers.d/wsproxy.conf`]);
  assert.equal(code, 0, stderr);
  assert.match(readFileSync(`${folder}/etc/passwd`, 'utf8'), /^wsproxy:x:\d+:\d+:VNC in the browser:\/nonexistent:\S*nologin$/m);
});

test('dash takes the init script, and so does shellcheck', async (t) => {
  const at = await install(t);
  for (const [program, ...args] of [['dash', '-n'], ['shellcheck']]) {
    if (missing(program)) continue;
    const { code, stdout, stderr } = await run(t, program, [...args, `${at.etc}/init.d/wsproxy`], { timeout: 30_000 });
    assert.deepEqual({ code, said: stdout + stderr }, { code: 0, said: '' }, program);
  }
});

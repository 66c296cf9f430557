// The command line: what is accepted, what is refused with which status, and what is printed at start.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { get } from './support/http.mjs';
import { Proxy, binary, runToEnd } from './support/proxy.mjs';
import { start, tempDir, until } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

test('--help prints every option on stdout and exits 0', async (t) => {
  for (const flag of ['--help', '-h']) {
    const { code, stdout, stderr } = await runToEnd(t, [flag]);
    assert.equal(code, 0);
    assert.equal(stderr, '');
    for (const option of [
      '--cert', '--key', '--ssl-only', '--web', '--foreground', '--verbose', '--help', '--version',
      '--handshake-timeout', '--lookup-timeout', '--connect-timeout', '--drain-timeout',
    ]) {
      assert.match(stdout, new RegExp(`${option}\\b`), option);
    }
  }
});

test('--help fits 80 columns', async (t) => {
  const { stdout } = await runToEnd(t, ['--help']);
  assert.deepEqual(stdout.split('\n').filter((line) => line.length > 80), []);
});

test('--version prints name and version and exits 0', async (t) => {
  const { code, stdout } = await runToEnd(t, ['--version']);
  assert.equal(code, 0);
  assert.match(stdout, /^wsproxy \d+\.\d+\S*\n/);
});

const usageErrors = [
  ['no arguments', [], /./],
  ['no target', ['0'], /./],
  ['an unknown option, which it names', ['--nonsense', '0', 'localhost:5900'], /--nonsense/],
  ['an unknown letter, which it names', ['-Z', '0', 'localhost:5900'], /-?Z/],
  ['an ambiguous prefix, and it names what it may mean', ['--ver', '0', 'localhost:5900'], /--verbose[^]*--version|--version[^]*--verbose/],
  ['an option without its value', ['0', 'localhost:5900', '--cert'], /--cert/],
  ['a value for an option that takes none', ['--ssl-only=yes', '0', 'localhost:5900'], /--ssl-only/],
  ['a number that is none', ['--handshake-timeout=soon', '0', 'localhost:5900'], /--handshake-timeout[^]*soon|soon[^]*--handshake-timeout/],
  ['a number with something behind it', ['--handshake-timeout=10s', '0', 'localhost:5900'], /handshake-timeout/],
  ['a number out of range', ['--handshake-timeout=-1', '0', 'localhost:5900'], /handshake-timeout/],
  ['a number larger than any integer', ['--connect-timeout=99999999999999999999', '0', 'localhost:5900'], /connect-timeout/],
  ['too many arguments', ['0', 'localhost:5900', 'localhost:5901'], /localhost:5901/],
  ['a target without a port', ['0', 'localhost'], /localhost/],
  ['a target with an empty host', ['0', ':5900'], /:5900/],
  ['a target with port 0', ['0', 'localhost:0'], /localhost:0/],
  ['a target port out of range', ['0', 'localhost:65536'], /65536/],
  ['a target port that is no number', ['0', 'localhost:vnc'], /localhost:vnc/],
  ['a bracket left open', ['0', '[::1:5900'], /\[::1:5900/],
  ['an empty Unix target', ['0', 'unix:'], /unix:|Unix socket/],
  ['a program without a name', ['0', '--'], /--/],
  ['a listen port out of range', ['70000', 'localhost:5900'], /70000/],
  ['a listen port that is no number', ['http', 'localhost:5900'], /http/],
  ['IPv6 without brackets to listen on', ['::1:6080', 'localhost:5900'], /::1:6080/],
];
for (const [what, args, names] of usageErrors) {
  test(`${what}: exit 2, said on stderr alone`, async (t) => {
    const { code, stdout, stderr } = await runToEnd(t, args);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, names);
  });
}

test('the ready line names version, address and target; the next the URL to open', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900');
  assert.match(proxy.stdout, /^wsproxy \d+\.\d+\S* ready: 127\.0\.0\.1:\d+ -> localhost:5900\nopen http:\/\/127\.0\.0\.1:\d+\/\n$/);
  assert.equal(proxy.url, `http://127.0.0.1:${proxy.port}/`);
});

test('without an address both families are listened on, and the URL says localhost', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900', { listen: '0' });
  assert.equal(proxy.address, '[::]');
  assert.equal(proxy.url, `http://localhost:${proxy.port}/`);
  for (const host of ['127.0.0.1', '::1']) assert.equal((await get(t, proxy.port, '/', {}, { host })).status, 200, host);
});

test('an IPv6 address in brackets is listened on alone', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900', { listen: '[::1]:0' });
  assert.equal(proxy.address, '[::1]');
  assert.equal(proxy.url, `http://[::1]:${proxy.port}/`);
  assert.equal((await get(t, proxy.port, '/', {}, { host: '::1' })).status, 200);
  await assert.rejects(get(t, proxy.port, '/', {}, { host: '127.0.0.1' }), /ECONNREFUSED/);
});

test('a host name to listen on is looked up', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900', { listen: 'localhost:0' });
  assert.equal((await get(t, proxy.port, '/', {}, { host: 'localhost' })).status, 200);
});

for (const [what, argv] of [
  ['options behind the positionals', (port) => ['127.0.0.1:0', `127.0.0.1:${port}`, '--connect-timeout', '3', '-v']],
  ['options between the positionals', (port) => ['127.0.0.1:0', '-v', `127.0.0.1:${port}`]],
  ['a value behind "="', (port) => ['--connect-timeout=3', '127.0.0.1:0', `127.0.0.1:${port}`]],
  ['unambiguous prefixes', (port) => ['--verb', '--conn', '3', '--handshake-t=4', '127.0.0.1:0', `127.0.0.1:${port}`]],
  ['letters in a bundle', (port) => ['-fv', '127.0.0.1:0', `127.0.0.1:${port}`]],
]) {
  test(`${what} work`, async (t) => {
    const echo = await startEcho(t);
    const proxy = await Proxy.start(t, '', { argv: argv(echo.port) });
    const client = await WebSocketClient.open(t, { port: proxy.port });
    await client.send('hello');
    assert.equal(String(await client.data()), 'hello');
  });
}

test('the last of a repeated option wins', async (t) => {
  const folder = tempDir(t);
  for (const name of ['one', 'two']) {
    mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, name, 'index.html'), name);
  }
  const proxy = await Proxy.start(t, 'localhost:5900', { args: ['--web=one', '--web=two'], cwd: folder });
  assert.equal(String((await get(t, proxy.port, '/')).body), 'two');
});

test('the supervisord line with self.pem works as it stands', async (t) => {
  const { folder } = await makeCertificate(t);
  const probe = net.createServer();
  const port = await new Promise((resolve) => probe.listen(0, () => resolve(probe.address().port)));
  await new Promise((resolve) => probe.close(resolve));
  const proxy = await Proxy.start(t, '', {
    argv: ['-f', String(port), '--cert=self.pem', '--ssl-only', 'localhost:5900'],
    cwd: folder,
  });
  assert.equal(proxy.url, `https://localhost:${port}/`);
  assert.equal((await get(t, port, '/', {}, { secure: true })).status, 200);
});

test('an IPv6 target in brackets is reached', async (t) => {
  const echo = await startServer(t, (socket) => socket.pipe(socket), { port: 0, host: '::1' });
  const proxy = await Proxy.start(t, `[::1]:${echo.port}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.send('six');
  assert.equal(String(await client.data()), 'six');
});

test('a Unix socket as target is reached', async (t) => {
  const socketPath = path.join(tempDir(t), 'rfb');
  await startServer(t, (socket) => socket.pipe(socket), { path: socketPath });
  const proxy = await Proxy.start(t, `unix:${socketPath}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await client.send('local');
  assert.equal(String(await client.data()), 'local');
});

/** Status 1, nothing on stdout, and one line that names what is wrong. */
async function refusesToStart(t, args, names) {
  const { code, stdout, stderr } = await runToEnd(t, args);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, names);
  assert.equal(stderr.trimEnd().split('\n').length, 1, `one line, not:\n${stderr}`);
}

test('a port in use: exit 1, naming the address', async (t) => {
  const first = await Proxy.start(t, 'localhost:5900');
  await refusesToStart(t, [`127.0.0.1:${first.port}`, 'localhost:5900'], new RegExp(`127\\.0\\.0\\.1:${first.port}.*in use`, 'i'));
});

test('an address that is not ours: exit 1, naming it', async (t) => {
  await refusesToStart(t, ['192.0.2.7:0', 'localhost:5900'], /192\.0\.2\.7/);
});

test('a certificate that is missing, empty, without a key, or not matching its key: exit 1, naming the file', async (t) => {
  const { cert, key, folder } = await makeCertificate(t);
  const other = await makeCertificate(t, { name: 'other' });
  const listen = ['127.0.0.1:0', 'localhost:5900'];
  await refusesToStart(t, ['--cert', `${folder}/missing.pem`, ...listen], /missing\.pem/);
  writeFileSync(`${folder}/empty.pem`, '');
  await refusesToStart(t, ['--cert', `${folder}/empty.pem`, '--key', key, ...listen], /empty\.pem/);
  await refusesToStart(t, ['--cert', cert, ...listen], /localhost\.crt/);
  await refusesToStart(t, ['--cert', cert, '--key', `${folder}/missing.key`, ...listen], /missing\.key/);
  await refusesToStart(t, ['--cert', cert, '--key', other.key, ...listen], /other\.key|localhost\.crt/);
  await refusesToStart(t, ['--cert', folder, ...listen], new RegExp(path.basename(folder)));
});

test('a bad certificate is refused before anything listens', async (t) => {
  const taken = await Proxy.start(t, 'localhost:5900');
  await refusesToStart(t, ['--cert=/nonexistent/c.pem', `127.0.0.1:${taken.port}`, 'localhost:5900'], /\/nonexistent\/c\.pem/);
});

test('--ssl-only without a certificate does not start', async (t) => {
  const { code, stderr, stdout } = await runToEnd(t, ['--ssl-only', '127.0.0.1:0', 'localhost:5900'], { cwd: tempDir(t) });
  assert.ok(code === 1 || code === 2, `exit ${code}`);
  assert.equal(stdout, '');
  assert.match(stderr, /--cert|certificate/);
});

test('--web with a folder that is missing, or a file: exit 1, naming it', async (t) => {
  const folder = tempDir(t);
  await refusesToStart(t, ['--web', `${folder}/missing`, '127.0.0.1:0', 'localhost:5900'], /missing/);
  writeFileSync(`${folder}/file`, '');
  await refusesToStart(t, ['--web', `${folder}/file`, '127.0.0.1:0', 'localhost:5900'], /file/);
});

test('SIGINT ends it with 0 as SIGTERM does', async (t) => {
  const proxy = await Proxy.start(t, 'localhost:5900');
  assert.ok((await proxy.stop('SIGINT')) < 2000);
});

test('stderr that nobody reads, or is closed, does no harm', async (t) => {
  const child = start(t, '/bin/sh', ['-c', 'exec "$0" -v 127.0.0.1:0 127.0.0.1:1 2>&-', binary]);
  const port = Number(await until('ready line', () => /ready: [^ ]*:(\d+) /.exec(child.output)?.[1], { last: () => child.output }));
  assert.equal((await get(t, port, '/')).status, 200);
  child.kill('SIGTERM');
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

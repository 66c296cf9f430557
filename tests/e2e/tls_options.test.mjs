// What TLS can be told, to browsers and to targets: each option once right and once wrong.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { startTigerVnc } from './support/desktop.mjs';
import { get } from './support/http.mjs';
import { Proxy, runToEnd } from './support/proxy.mjs';
import { handshake, wholePicture } from './support/rfb.mjs';
import { fileScope, run, tempDir, until } from './support/scope.mjs';
import { startEcho, startGreeter, startServer } from './support/servers.mjs';
import { fingerprint, makeAuthority, makeCertificate, startTlsServer } from './support/tls.mjs';
import { WebSocketClient, connect } from './support/websocket.mjs';

const scope = fileScope();
const echo = await startEcho(scope);
const { cert, key, both } = await makeCertificate(scope);
const authority = await makeAuthority(scope);
const strangers = await makeAuthority(scope, 'Strangers');
const alice = await authority.issue('alice');
const mallory = await strangers.issue('mallory');
const desk = await authority.issue('desk', { alt: 'DNS:localhost,IP:127.0.0.1' });
const elsewhere = await authority.issue('elsewhere', { alt: 'DNS:other.example,IP:10.0.0.7' });

/** Starts with options that cannot work: the exit status and what was said. */
async function refusal(t, args, target = `127.0.0.1:${echo.port}`) {
  const { code, stderr } = await runToEnd(t, [...args, '127.0.0.1:0', target]);
  return { code, stderr };
}

async function assertRefused(t, args, code, pattern, target) {
  const refused = await refusal(t, args, target);
  assert.match(refused.stderr, pattern);
  assert.equal(refused.code, code, refused.stderr);
}

async function assertEchoes(client, size = 10) {
  const sent = randomBytes(size);
  client.send(sent);
  assert.ok((await client.bytes(size)).equals(sent));
}

// --- the key's password ---

const password = 'correct horse';

async function encryptedKey(t) {
  const folder = tempDir(t);
  const file = path.join(folder, 'locked.key');
  const made = await run(t, 'openssl', ['pkcs8', '-topk8', '-in', key, '-out', file, '-passout', `pass:${password}`]);
  assert.equal(made.code, 0, made.stderr);
  const passwordFile = path.join(folder, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  return { file, passwordFile };
}

test('--key-password-file and --key-password open an encrypted key', async (t) => {
  const { file, passwordFile } = await encryptedKey(t);
  for (const args of [['--key-password-file', passwordFile], [`--key-password=${password}`]]) {
    const proxy = await Proxy.start(t, echo.port, { args: ['--cert', cert, '--key', file, '-v', ...args] });
    assert.equal((await get(t, proxy.port, '/', {}, { secure: true })).status, 200);
    await proxy.stop();
    assert.ok(!proxy.log.includes(password) && !proxy.stdout.includes(password), 'the password is in no log');
  }
});

test('a password file that others can read is warned about', async (t) => {
  const { file, passwordFile } = await encryptedKey(t);
  const open = path.join(tempDir(t), 'open');
  writeFileSync(open, readFileSync(passwordFile), { mode: 0o644 });
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', cert, '--key', file, '--key-password-file', open] });
  assert.match((await proxy.logged(/warning/))[0], /password file \S+ is open to others/);
});

test('an encrypted key without its password, or with a wrong one, is refused without asking anybody', async (t) => {
  const { file } = await encryptedKey(t);
  const wrong = path.join(tempDir(t), 'wrong');
  writeFileSync(wrong, 'battery staple\n', { mode: 0o600 });
  const args = ['--cert', cert, '--key', file];
  await assertRefused(t, args, 1, /locked\.key is encrypted, and no password was given/);
  await assertRefused(t, [...args, '--key-password-file', wrong], 1, /locked\.key is encrypted, and the password does not open it/);
  await assertRefused(t, [...args, '--key-password-file', '/nonexistent/pw'], 1, /password file \/nonexistent\/pw: no such file/);
});

test('a key of another certificate is refused by name', async (t) => {
  await assertRefused(t, ['--cert', cert, '--key', alice.key], 1, /localhost\.crt and key \S+alice\.key do not belong together/);
});

// --- versions and ciphers ---

const speaks = (t, port, version, more = {}) =>
  connect(t, { port, secure: true, tlsOptions: { minVersion: version, maxVersion: version, ...more } });

test('--ssl-version tlsv1_3 refuses TLS 1.2', async (t) => {
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', both, '--ssl-version', 'tlsv1_3'] });
  assert.equal((await speaks(t, proxy.port, 'TLSv1.3')).getProtocol(), 'TLSv1.3');
  await assert.rejects(speaks(t, proxy.port, 'TLSv1.2'), /version|alert/i);
});

test('--ssl-version tlsv1_1 speaks that too, and warns', async (t) => {
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', both, '--ssl-version', 'tlsv1_1'] });
  assert.match((await proxy.logged(/warning/))[0], /TLS 1\.1/);
  for (const version of ['TLSv1.1', 'TLSv1.2', 'TLSv1.3']) {
    const socket = await speaks(t, proxy.port, version, { ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.equal(socket.getProtocol(), version);
  }
});

test('--ssl-version with a word that is none is a usage error', (t) => assertRefused(t, ['--cert', both, '--ssl-version', 'sslv3'], 2, /ssl-version/));

test('--ssl-ciphers and --ssl-ciphersuites say what is spoken', async (t) => {
  const proxy = await Proxy.start(t, echo.port, {
    args: ['--cert', both, '--ssl-ciphers', 'ECDHE-ECDSA-CHACHA20-POLY1305', '--ssl-ciphersuites', 'TLS_AES_128_GCM_SHA256'],
  });
  assert.equal((await speaks(t, proxy.port, 'TLSv1.2')).getCipher().name, 'ECDHE-ECDSA-CHACHA20-POLY1305');
  assert.equal((await speaks(t, proxy.port, 'TLSv1.3')).getCipher().name, 'TLS_AES_128_GCM_SHA256');
});

test('lists that select nothing are refused', async (t) => {
  await assertRefused(t, ['--cert', both, '--ssl-ciphers', 'FOO'], 1, /ciphers 'FOO': no cipher match/);
  await assertRefused(t, ['--cert', both, '--ssl-ciphersuites', 'TLS_FOO'], 1, /'TLS_FOO' is no cipher suite/);
});

// --- client certificates ---

const strictArgs = ['--cert', both, '--ssl-only', '--verify-client', '--cafile', authority.cert];

test('--verify-client lets in whom the authority has signed, and names them in the log', async (t) => {
  const proxy = await Proxy.start(t, echo.port, { args: strictArgs });
  const tlsOptions = { cert: readFileSync(alice.cert), key: readFileSync(alice.key) };
  await assertEchoes(await WebSocketClient.open(t, { port: proxy.port, secure: true, tlsOptions }));
  assert.match((await proxy.logged(/certificate of/))[0], /certificate of "alice"/);
});

test('--verify-client refuses all others, and says why', async (t) => {
  const proxy = await Proxy.start(t, echo.port, { args: strictArgs });
  const asks = (tlsOptions) => get(t, proxy.port, '/', {}, { secure: true, tlsOptions });
  await assert.rejects(asks({}));
  await proxy.logged(/TLS handshake failed: peer did not return a certificate/);
  await assert.rejects(asks({ cert: readFileSync(mallory.cert), key: readFileSync(mallory.key) }));
  await proxy.logged(/TLS handshake failed: client certificate is signed by an unknown authority \(mallory\)/);
});

test('--verify-client needs TLS for all and authorities that can be read', async (t) => {
  await assertRefused(t, ['--cert', both, '--verify-client', '--cafile', authority.cert], 2, /ssl-only/);
  await assertRefused(t, [...strictArgs.slice(0, -1), '/nonexistent/ca.pem'], 1, /authorities \/nonexistent\/ca\.pem: no such file/);
});

// --- renewal ---

test('a renewed certificate is for the next client, and the session of an old one lives on', async (t) => {
  const folder = tempDir(t);
  const live = { cert: path.join(folder, 'live.crt'), key: path.join(folder, 'live.key') };
  const renew = (from) => {
    for (const what of ['cert', 'key']) {
      copyFileSync(from[what], `${live[what]}.new`);
      renameSync(`${live[what]}.new`, live[what]);
    }
  };
  renew({ cert, key });
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', live.cert, '--key', live.key] });
  const shown = async () => (await connect(t, { port: proxy.port, secure: true })).getPeerCertificate().fingerprint256;
  const old = await WebSocketClient.open(t, { port: proxy.port, secure: true });
  assert.equal(await shown(), fingerprint(cert));

  renew(desk);
  await until('the new certificate', async () => (await shown()) === desk.sha256, { every: 100 });
  await assertEchoes(old);

  writeFileSync(live.cert, readFileSync(alice.cert));  // and its key is not there yet
  await until('a word about the pair', async () => (await shown()) && /do not belong together/.test(proxy.log), { every: 100 });
  assert.equal(await shown(), desk.sha256);
  writeFileSync(live.key, readFileSync(alice.key));
  await until('the pair to be complete', async () => (await shown()) === alice.sha256, { every: 100 });
  await assertEchoes(old);
});

// --- TLS to the target ---

/** A session by way of --ssl-target to `server`. */
async function session(t, server, args, host = 'localhost') {
  const proxy = await Proxy.start(t, `${host}:${server.port}`, { args: ['--ssl-target', ...args] });
  return { proxy, client: await WebSocketClient.open(t, { port: proxy.port }) };
}

/** The same, where the target cannot be used: the reason in the Close frame and in the log. */
async function assertUnreachable(t, server, args, pattern, host) {
  const { proxy, client } = await session(t, server, args, host);
  const closed = await client.closed();
  assert.equal(closed.code, 1011);
  assert.match(closed.reason, pattern);
  await client.close(closed.code);  // the line comes when the session is over
  await proxy.logged(pattern);
}

for (const host of ['localhost', '127.0.0.1']) {
  test(`--ssl-target-ca: a certificate of that authority for ${host} will do`, async (t) => {
    const server = await startTlsServer(t, desk);
    const { client } = await session(t, server, ['--ssl-target-ca', authority.cert], host);
    await assertEchoes(client);
    assert.deepEqual(server.asked, [host === 'localhost' ? 'localhost' : false], 'SNI is for names');
  });
}

test('megabytes go both ways by TLS unharmed', async (t) => {
  const server = await startTlsServer(t, desk);
  const { client } = await session(t, server, ['--ssl-target-ca', authority.cert]);
  await assertEchoes(client, 8 * 1024 * 1024);
});

test('a certificate of an unknown authority is refused', async (t) => {
  const server = await startTlsServer(t, desk);
  const pattern = /cannot reach localhost:\d+: TLS: certificate is signed by an unknown authority/;
  await assertUnreachable(t, server, ['--ssl-target-ca', strangers.cert], pattern);
  await assertUnreachable(t, server, [], pattern);
});

test('a self-signed certificate is refused, unless it is its own authority', async (t) => {
  const server = await startTlsServer(t, { cert, key });
  await assertUnreachable(t, server, [], /TLS: self-signed certificate/);
  const { client } = await session(t, server, ['--ssl-target-ca', cert]);
  await assertEchoes(client);
});

test('a certificate for another host is refused, and the log says for which', async (t) => {
  const server = await startTlsServer(t, elsewhere);
  for (const host of ['localhost', '127.0.0.1']) {
    await assertUnreachable(t, server, ['--ssl-target-ca', authority.cert], /TLS: certificate is for other\.example, 10\.0\.0\.7/, host);
  }
});

test('--ssl-target-pin: that certificate and no other', async (t) => {
  const server = await startTlsServer(t, elsewhere);
  const { client } = await session(t, server, ['--ssl-target-pin', elsewhere.sha256]);
  await assertEchoes(client);
  const plain = elsewhere.sha256.replaceAll(':', '').toLowerCase();
  await assertEchoes((await session(t, server, ['--ssl-target-pin', plain])).client);
  await assertUnreachable(t, server, ['--ssl-target-pin', desk.sha256], /TLS: certificate is not the pinned one/);
  await assertRefused(t, ['--ssl-target', '--ssl-target-pin', 'abcd'], 1, /expected the SHA-256 of a certificate/);
});

test('--ssl-target-insecure takes any certificate, with a warning', async (t) => {
  const server = await startTlsServer(t, elsewhere);
  const { proxy, client } = await session(t, server, ['--ssl-target-insecure']);
  await assertEchoes(client);
  await proxy.logged(/warning.*certificate is not checked/);
});

test('--ssl-target-cert: the target knows who we are', async (t) => {
  const server = await startTlsServer(t, { ...desk, ca: authority.cert });
  const args = ['--ssl-target-ca', authority.cert];
  const { client } = await session(t, server, [...args, '--ssl-target-cert', alice.cert, '--ssl-target-key', alice.key]);
  await assertEchoes(client);
  assert.deepEqual(server.names, ['alice']);

  const without = await session(t, server, args);
  assert.notEqual((await without.client.closed()).code, 1000);
  await without.client.close(1000);
  await without.proxy.logged(/alert certificate required/);
  await assertRefused(t, ['--ssl-target', '--ssl-target-cert', alice.cert, '--ssl-target-key', desk.key], 1, /do not belong together/);
});

test('a target that speaks no TLS is told apart from one that is not there', async (t) => {
  const vnc = await startGreeter(t, 'RFB 003.008\n');
  await assertUnreachable(t, vnc, ['--ssl-target-insecure'], /cannot reach localhost:\d+: TLS: server speaks no TLS/);
});

test('a target that leaves the handshake hanging is given up within --connect-timeout', async (t) => {
  const silent = await startServer(t, (socket) => socket.resume());
  const started = Date.now();
  await assertUnreachable(t, silent, ['--ssl-target-insecure', '--connect-timeout', '1'], /TLS: no end of the handshake in time/);
  assert.ok(Date.now() - started < 4000);
});

test('--ssl-target and a Unix socket do not go together', (t) => assertRefused(t, ['--ssl-target'], 2, /Unix socket/, 'unix:/tmp/vnc'));

test('TigerVNC behind TLS: the picture is the server\'s', async (t) => {
  const desktop = await startTigerVnc(t, { width: 640, height: 480 });
  await desktop.showNoise();
  const server = await startTlsServer(t, { ...desk, behind: desktop.port });
  const { client } = await session(t, server, ['--ssl-target-ca', authority.cert]);
  const screen = await desktop.picture();
  const picture = await wholePicture(client, await handshake(client));
  for (let i = 0; i < picture.length; i += 4) {
    if (picture.compare(screen.pixels, i, i + 3, i, i + 3) !== 0) assert.fail(`pixel ${i / 4} differs`);
  }
});

// What TLS we offer, as the tools see it that people judge it by: openssl s_client and sslscan.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Reader } from './support/bytes.mjs';
import { get } from './support/http.mjs';
import { Proxy, runToEnd } from './support/proxy.mjs';
import { fileScope, run, start, tempDir, until, within } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { makeAuthority } from './support/tls.mjs';
import { WebSocketClient, connect } from './support/websocket.mjs';

const scope = fileScope();
const echo = await startEcho(scope);
const authority = await makeAuthority(scope);
const one = await authority.issue('one', { alt: 'DNS:localhost,DNS:one.example,IP:127.0.0.1' });
const two = await authority.issue('two', { alt: 'DNS:two.example,DNS:*.two.example' });
for (const issued of [one, two]) appendFileSync(issued.cert, readFileSync(authority.cert));  // the chain, which OCSP is checked by
const args = ['--cert', one.cert, '--key', one.key, '--cert', two.cert, '--key', two.key];
const proxy = await Proxy.shared(scope, echo.port, { args });

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** What `openssl s_client` prints of one connection that asks for the page. */
async function client(t, port, ...options) {
  const all = ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...options];
  const { stdout, stderr } = await run(t, 'openssl', all, { input: request });
  return stdout + stderr;
}

// --- certificates ---

const shown = async (t, port, servername) => (await connect(t, { port, secure: true, tlsOptions: { servername } })).getPeerCertificate().subject.CN;

test('the certificate is the one for the name that is asked for, or the first', async (t) => {
  const names = { 'one.example': 'one', 'two.example': 'two', 'desk.two.example': 'two', 'three.example': 'one', '': 'one' };
  for (const [name, expected] of Object.entries(names)) assert.equal(await shown(t, proxy.port, name), expected, name);
});

test('a key for each certificate, or none', async (t) => {
  const { code, stderr } = await runToEnd(t, [...args.slice(0, -2), '127.0.0.1:0', `127.0.0.1:${echo.port}`]);
  assert.equal(code, 2);
  assert.match(stderr, /--key: 1 for 2 certificates/);
});

test('pairs may come from the configuration file, and a renewed one of them is noticed', async (t) => {
  const folder = tempDir(t);
  const live = { cert: path.join(folder, 'live.crt'), key: path.join(folder, 'live.key') };
  const use = (issued) => {
    for (const what of ['cert', 'key']) writeFileSync(live[what], readFileSync(issued[what]));
  };
  use(two);
  const file = path.join(folder, 'w.conf');
  writeFileSync(file, `cert = ${one.cert}\nkey = ${one.key}\ncert = ${live.cert}\nkey = ${live.key}\n`);
  const ours = await Proxy.start(t, echo.port, { args: ['--config', file] });
  assert.equal(await shown(t, ours.port, 'two.example'), 'two');
  const next = await authority.issue('next', { alt: 'DNS:two.example' });
  use(next);
  await until('the renewed certificate', async () => (await shown(t, ours.port, 'two.example')) === 'next', { every: 100 });
  assert.equal(await shown(t, ours.port, 'one.example'), 'one');
});

// --- stapling ---

async function stapled(t, port, servername) {
  const said = await client(t, port, '-status', '-servername', servername);
  if (/OCSP response: no response sent/.test(said)) return null;
  assert.match(said, /OCSP Response Status: successful/);
  return /Cert Status: (\w+)/.exec(said)[1];
}

test('--ocsp is stapled to its certificate, and read again when the file changes', async (t) => {
  const file = path.join(tempDir(t), 'ocsp.der');
  await authority.vouch(two, file);
  const ours = await Proxy.start(t, echo.port, { args: [...args, '--ocsp', file] });
  assert.equal(await stapled(t, ours.port, 'two.example'), 'good');
  assert.equal(await stapled(t, ours.port, 'one.example'), null);
  await authority.vouch(one, file);
  await until('the new response', async () => (await stapled(t, ours.port, 'one.example')) === 'good', { every: 100 });
  assert.equal(await stapled(t, ours.port, 'two.example'), null);
});

test('a response of no use is warned about, and TLS goes on without', async (t) => {
  const stranger = await authority.issue('stranger');
  const file = path.join(tempDir(t), 'ocsp.der');
  await authority.vouch(stranger, file);
  const ours = await Proxy.start(t, echo.port, { args: [...args, '--ocsp', file, '--ocsp', '/nonexistent/ocsp.der'] });
  await ours.logged(/warning.*ocsp\.der: it is about another certificate; it is not stapled/);
  await ours.logged(/warning.*\/nonexistent\/ocsp\.der: no such file or directory; it is not stapled/);
  assert.equal(await stapled(t, ours.port, 'one.example'), null);
});

// --- resumption ---

for (const version of ['tls1_2', 'tls1_3']) {
  test(`a session of ${version} resumes, also after a reload`, async (t) => {
    const ours = await Proxy.start(t, echo.port, { args });
    const file = path.join(tempDir(t), 'session.pem');
    assert.match(await client(t, ours.port, `-${version}`, '-sess_out', file), /^New, /m);
    assert.match(await client(t, ours.port, `-${version}`, '-sess_in', file, '-sess_out', file), /^Reused, /m);
    ours.child.kill('SIGHUP');
    await ours.logged(/reloaded: /);
    assert.match(await client(t, ours.port, `-${version}`, '-sess_in', file), /^Reused, /m);
  });
}

test('a session does not resume in another process', async (t) => {
  const file = path.join(tempDir(t), 'session.pem');
  await client(t, proxy.port, '-sess_out', file);
  const ours = await Proxy.start(t, echo.port, { args });
  assert.match(await client(t, ours.port, '-sess_in', file), /^New, /m);
});

// --- what is refused ---

const offers = {
  'TLS 1.0': ['-tls1', '-cipher', 'ALL:@SECLEVEL=0'],
  'TLS 1.1': ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
  'CBC ciphers': ['-tls1_2', '-cipher', 'ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0'],
  'ciphers without forward secrecy': ['-tls1_2', '-cipher', 'kRSA:@SECLEVEL=0'],
  'ciphers without authentication': ['-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0'],
  'finite-field groups': ['-tls1_3', '-groups', 'ffdhe2048:ffdhe8192'],
  'SHA-1 signatures': ['-tls1_2', '-sigalgs', 'ECDSA+SHA1:RSA+SHA1', '-cipher', 'ALL:@SECLEVEL=0'],
};
for (const [what, options] of Object.entries(offers)) {
  test(`a client that offers only ${what} is refused`, async (t) => {
    const said = await client(t, proxy.port, ...options);
    assert.match(said, /alert (handshake failure|protocol version)/);
    assert.doesNotMatch(said, /HTTP\/1\.1 /);
  });
}

test('TLS 1.2 as it is: the same client with an offer that we take', async (t) => {
  const said = await client(t, proxy.port, '-tls1_2', '-cipher', 'ECDHE+AESGCM');
  assert.match(said, /HTTP\/1\.1 200 /);
  assert.match(said, /Compression: NONE/);
});

test('renegotiation is refused', async (t) => {
  const child = start(t, 'openssl', ['s_client', '-connect', `127.0.0.1:${proxy.port}`, '-tls1_2'], { stdio: ['pipe', 'pipe', 'pipe'] });
  await until('the handshake', () => /Verify return code/.test(child.output), { last: () => child.output });
  child.stdin.write('R\n');
  await within(5000, () => `s_client to give up; it said:\n${child.output}`, child.exited);
  assert.match(child.output, /RENEGOTIATING[^]*no renegotiation/);
});

test('early data is not taken', async (t) => {
  const folder = tempDir(t);
  const file = path.join(folder, 'session.pem');
  writeFileSync(path.join(folder, 'early'), request);
  await client(t, proxy.port, '-tls1_3', '-sess_out', file);
  const session = await run(t, 'openssl', ['sess_id', '-in', file, '-noout', '-text']);
  assert.match(session.stdout, /Max Early Data: 0/);
});

test('a hello of 64 KiB is refused before it is read', async (t) => {
  const socket = await connect(t, { port: proxy.port });
  const hello = Buffer.alloc(65_536, 0xff);
  hello.set([1, 0, 0xff, 0xfc, 3, 3]);
  for (let at = 0; at < hello.length; at += 16_384) {
    socket.write(Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), hello.subarray(at, at + 16_384)]));
  }
  await new Reader(socket).rest({ resetOk: true });
  await proxy.logged(/TLS handshake failed: TLS hello is too long/);
});

// --- ends ---

test('close_notify is sent before TCP ends', async (t) => {
  for (const version of ['-tls1_2', '-tls1_3']) assert.match(await client(t, proxy.port, version, '-msg'), /<<< .*Alert.*warning close_notify/);
});

test('a close_notify of the client ends its session', async (t) => {
  const browser = await WebSocketClient.open(t, { port: proxy.port, secure: true });
  await browser.send('x');
  await browser.data();
  const closed = (proxy.log.match(/\] closed /g) ?? []).length;
  browser.socket.end();
  await proxy.logged(/\] closed /, { count: closed + 1 });
});

// --- as a whole ---

test('sslscan finds nothing but the profile', async (t) => {
  const found = await run(t, 'sh', ['-c', 'command -v sslscan']);
  if (found.code !== 0) return t.skip('there is no sslscan');
  const { stdout } = await run(t, 'sslscan', ['--no-colour', '--xml=-', `127.0.0.1:${proxy.port}`], { timeout: 60_000 });
  const all = (tag, attribute) => [...stdout.matchAll(new RegExp(`<${tag}\\b[^>]*\\b${attribute}="([^"]*)"`, 'g'))].map((match) => match[1]);
  const enabled = [...stdout.matchAll(/<protocol type="(\w+)" version="([\d.]+)" enabled="1"/g)].map(([, type, version]) => `${type}${version}`);
  assert.deepEqual(enabled.sort(), ['tls1.2', 'tls1.3']);
  assert.deepEqual(new Set(all('cipher', 'cipher')), new Set([
    'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305',
  ]));
  for (const group of all('group', 'name')) assert.match(group, /^(x25519|secp256r1|secp384r1)\b/);
  assert.deepEqual(all('renegotiation', 'supported'), ['0']);
  assert.deepEqual(new Set(all('heartbleed', 'vulnerable')), new Set(['0']));
  assert.equal((await get(t, proxy.port, '/', {}, { secure: true })).status, 200);
});

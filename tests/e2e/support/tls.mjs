// Certificates made on the spot by the openssl command line.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { run, scopeOf, tempDir } from './scope.mjs';

/** A self-signed certificate for localhost: paths of cert, key, and both in one file as websockify takes it. */
export async function makeCertificate(t, { name = 'localhost', folder = tempDir(t) } = {}) {
  const cert = path.join(folder, `${name}.crt`);
  const key = path.join(folder, `${name}.key`);
  const both = path.join(folder, 'self.pem');
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const made = await run(t, 'openssl', [
    ...args, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert,
  ]);
  assert.equal(made.code, 0, made.stderr);
  writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  return { cert, key, both, folder };
}

const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** An authority of one's own: `cert` is its file, `issue` makes certificates that it has signed, `vouch` OCSP responses. */
export async function makeAuthority(t, name = 'Test Authority') {
  const folder = tempDir(t);
  const openssl = async (...args) => {
    const made = await run(t, 'openssl', args);
    assert.equal(made.code, 0, made.stderr);
  };
  const cert = path.join(folder, 'ca.crt');
  const caKey = path.join(folder, 'ca.key');
  await openssl('req', '-x509', ...ecKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', caKey, '-out', cert);
  return {
    cert,
    /** A certificate for `subject` and the names in `alt` ("DNS:a.example,IP:127.0.0.1"): paths, and its SHA-256 in hex. */
    async issue(subject, { alt } = {}) {
      const file = (suffix) => path.join(folder, `${subject}.${suffix}`);
      const made = { cert: file('crt'), key: file('key') };
      writeFileSync(file('ext'), alt === undefined ? '' : `subjectAltName=${alt}\n`);
      await openssl('req', '-new', ...ecKey, '-subj', `/CN=${subject}`, '-keyout', made.key, '-out', file('csr'));
      await openssl('x509', '-req', '-in', file('csr'), '-CA', cert, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', file('ext'), '-out', made.cert);
      return { ...made, sha256: fingerprint(made.cert) };
    },
    /** Writes into `file` that the certificate of `issued` is good, for a day; the response's bytes. */
    async vouch(issued, file) {
      const serial = new X509Certificate(readFileSync(issued.cert)).serialNumber;
      writeFileSync(`${file}.index`, `V\t491231235959Z\t\t${serial}\tunknown\t/CN=any\n`);
      await openssl('ocsp', '-issuer', cert, '-cert', issued.cert, '-reqout', `${file}.request`);
      await openssl('ocsp', '-index', `${file}.index`, '-CA', cert, '-rsigner', cert, '-rkey', caKey, '-ndays', '1', '-reqin', `${file}.request`, '-respout', `${file}.new`);
      renameSync(`${file}.new`, file);
      return readFileSync(file);
    },
  };
}

/** The SHA-256 of the certificate in a PEM file, as `openssl x509 -fingerprint` writes it. */
export function fingerprint(file) {
  return new X509Certificate(readFileSync(file)).fingerprint256;
}

/**
 * TLS in front of a server on `behind`, as stunnel would be; without `behind` it sends everything back.
 * `ca`: only clients with a certificate that it has signed. `.names` are the names of the clients that came, `.asked`
 * those they asked for (SNI).
 */
export async function startTlsServer(t, { cert, key, ca, behind }) {
  const names = [];
  const asked = [];
  const sockets = new Set();
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    return socket;
  };
  const options = { cert: readFileSync(cert), key: readFileSync(key), noDelay: true };
  if (ca) Object.assign(options, { ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true });
  const server = tls.createServer(options, (socket) => {
    keep(socket);
    names.push(socket.getPeerCertificate()?.subject?.CN);
    asked.push(socket.servername);
    const other = behind === undefined ? socket : keep(net.connect({ port: behind, host: '127.0.0.1', noDelay: true }));
    socket.pipe(other);
    if (other !== socket) other.pipe(socket);
  });
  server.on('connection', keep);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scopeOf(t).add(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: server.address().port, names, asked };
}

/** The first bytes of a TLS client, as they are on the wire. */
export async function tlsHello(t) {
  const listener = net.createServer().listen(0, '127.0.0.1');
  scopeOf(t).add(() => listener.close());
  await once(listener, 'listening');
  const client = tls.connect({ port: listener.address().port, host: '127.0.0.1' });
  client.on('error', () => {});
  const [accepted] = await once(listener, 'connection');
  const [bytes] = await once(accepted, 'data');
  accepted.destroy();
  client.destroy();
  return bytes;
}

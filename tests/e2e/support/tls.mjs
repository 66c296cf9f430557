// Certificates made on the spot by the openssl command line.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, tempDir } from './scope.mjs';

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

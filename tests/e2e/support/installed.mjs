// What `make install` puts into a folder, with the binary under test, and the ways to run it from there.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from './proxy.mjs';
import { run, tempDir } from './scope.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** Runs make in the project, which must succeed. */
export async function make(t, args, { timeout = 120_000, ...options } = {}) {
  const env = { ...process.env };
  // A make above this one (make check) would hand on its job server and BUILD.
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'BUILD']) delete env[name];
  const result = await run(t, 'make', ['-s', ...args], { cwd: root, timeout, env, ...options });
  assert.equal(result.code, 0, `make ${args.join(' ')}:\n${result.stdout}${result.stderr}`);
  return result;
}

/**
 * Installs below a folder that goes with the test: its own usr, etc, var and run, so that what runs from there
 * touches nothing of this machine. Gives the folder's path and those of the parts.
 */
export async function install(t) {
  const top = tempDir(t);
  chmodSync(top, 0o755);
  const at = { top, prefix: `${top}/usr`, etc: `${top}/etc`, var: `${top}/var`, run: `${top}/run` };
  at.args = [`prefix=${at.prefix}`, `sysconfdir=${at.etc}`, `localstatedir=${at.var}`, `runstatedir=${at.run}`];
  await make(t, ['install-files', ...at.args]);
  at.program = `${at.prefix}/bin/wsproxy`;
  if (realpathSync(binary) !== path.join(root, 'build/release/wsproxy')) copyFileSync(binary, at.program);
  for (const folder of [`${at.var}/log`, at.run]) mkdirSync(folder, { recursive: true });
  return at;
}

/** Why a test cannot run here, or false: the words go behind `skip`. */
export function missing(...programs) {
  for (const name of programs) {
    const found = ['/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')].some((folder) => existsSync(`${folder}/${name}`));
    if (!found) return `${name} is not installed (scripts/install-deps check)`;
  }
  return false;
}

export const notRoot = () => (process.getuid() === 0 ? false : 'it needs root');

/** Who the daemon becomes where there is no user wsproxy; nobody else than we are when we are not root. */
export const daemonUser = process.getuid() === 0 ? { name: 'nobody', group: 'nogroup' } : null;

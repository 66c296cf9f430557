// Completion in bash: what the Tab key offers, asked of bash itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempDir } from './support/scope.mjs';

const script = fileURLToPath(new URL('../../scripts/wsproxy.bash-completion', import.meta.url));

/** What is offered for the last of the words; "=" is a word of its own, as bash has it. */
function offers(words, cwd = '/') {
  const program = `
    source "$0"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _wsproxy
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['--norc', '-uc', program, script, 'wsproxy', ...words], { cwd, encoding: 'utf8' });
  return out.split('\n').filter((line) => line !== '').sort();
}

test('names of options', () => {
  assert.deepEqual(offers(['--ssl-target-c']), ['--ssl-target-ca', '--ssl-target-cert']);
  assert.deepEqual(offers(['--cert', 'c.pem', '6080', '--heart']), ['--heartbeat']);
  assert.ok(offers(['--']).length > 50);
  assert.deepEqual(offers(['--token']), [], 'not there yet');
  assert.deepEqual(offers(['--wrap']), ['--wrap-mode']);
  assert.deepEqual(offers(['60']), []);
});

test('choices, as the next word and behind "="', () => {
  assert.deepEqual(offers(['--wrap-mode', '']), ['exit', 'ignore', 'respawn']);
  assert.deepEqual(offers(['--wrap-mode', '=']), ['exit', 'ignore', 'respawn']);
  assert.deepEqual(offers(['--wrap-mode', '=', 're']), ['respawn']);
  assert.deepEqual(offers(['--log-level', 'w']), ['warning']);
});

test('files, directories and users where they belong, and nothing where words are one’s own', (t) => {
  const folder = tempDir(t);
  writeFileSync(path.join(folder, 'my cert.pem'), '');
  mkdirSync(path.join(folder, 'my pages'));
  assert.deepEqual(offers(['--cert', 'my'], folder), ['my cert.pem', 'my pages']);
  assert.deepEqual(offers(['--unix-listen', 'my'], folder), ['my cert.pem', 'my pages']);
  assert.deepEqual(offers(['--web', 'my'], folder), ['my pages']);
  assert.ok(offers(['--user', 'roo']).includes('root'));
  assert.ok(offers(['--group', 'roo']).includes('root'));
  assert.deepEqual(offers(['--key-password', 'my'], folder), []);
  assert.deepEqual(offers(['--heartbeat', ''], folder), []);
});

test('behind "--" stands a program', () => {
  assert.ok(offers(['6080', '--', 'bas']).includes('bash'));
  assert.ok(!offers(['6080', '--', 'x', '--ss']).includes('--ssl-only'));
});

test('it is there for both names', () => {
  const out = execFileSync('bash', ['--norc', '-c', 'source "$0"; complete -p wsproxy websockify', script], { encoding: 'utf8' });
  assert.equal(out, 'complete -F _wsproxy wsproxy\ncomplete -F _wsproxy websockify\n');
});

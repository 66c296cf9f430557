// What a test starts is ended with it: last started, first ended, and also when the test process is cut short.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

const children = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Collects what is to be undone; `close` undoes it in reverse and throws the first failure. */
export class Scope {
  #undo = [];

  add(undo) {
    this.#undo.push(undo);
  }

  async close() {
    let failure;
    while (this.#undo.length > 0) {
      try {
        await this.#undo.pop()();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure) throw failure;
  }
}

const scopes = new WeakMap();

/** The scope that ends with the test `t`. A Scope passes through, so helpers take either. */
export function scopeOf(t) {
  if (t instanceof Scope) return t;
  let scope = scopes.get(t);
  if (!scope) {
    scope = new Scope();
    scopes.set(t, scope);
    t.after(() => scope.close());
  }
  return scope;
}

/** A scope that ends with the test file: for a proxy or server that several tests share. */
export function fileScope() {
  const scope = new Scope();
  after(() => scope.close());
  return scope;
}

/** A folder of its own that goes with the test. */
export function tempDir(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'wsproxy-e2e-'));
  folders.add(folder);
  scopeOf(t).add(() => {
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  });
  return folder;
}

/** Starts a program that ends with the test. `.output` grows by all it prints; `.exited` is its end. */
export function start(t, command, args, { stopSignal = 'SIGTERM', ...options } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      child.output += text;
    });
  }
  child.exited = new Promise((resolve) => {
    child.on('error', (error) => {
      child.output += String(error);
      children.delete(child);
      resolve({ code: null, signal: null, error });
    });
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  scopeOf(t).add(async () => {
    if (!children.has(child)) return;
    child.kill(stopSignal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
    // A grandchild may hold the pipes open; the program itself is what we wait for.
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
    clearTimeout(timer);
    children.delete(child);
  });
  return child;
}

/** Runs a program to its end and gives all it said. Throws when it takes longer than `timeout` ms. */
export async function run(t, command, args, { input, timeout = 10_000, ...options } = {}) {
  const scope = new Scope();
  try {
    const child = start(scope, command, args, {
      ...options,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout = [];
    const stderr = [];
    child.stdout.removeAllListeners('data').setEncoding('latin1').on('data', (text) => stdout.push(text));
    child.stderr.removeAllListeners('data').setEncoding('utf8').on('data', (text) => stderr.push(text));
    if (input !== undefined) child.stdin.on('error', () => {}).end(input);
    const { code, signal, error } = await within(timeout, `${command} ${args.join(' ')}`, child.exited);
    if (error) throw error;
    const bytes = Buffer.from(stdout.join(''), 'latin1');
    return { code, signal, bytes, stdout: bytes.toString('utf8'), stderr: stderr.join('') };
  } finally {
    await scope.close();
  }
}

/** The promise's outcome, or an error that says what did not come in time. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const tick = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks `probe` again and again until what it gives is truthy, and gives that.
 * Past the deadline the error carries what was waited for and what `last` says.
 */
export async function until(what, probe, { timeout = 10_000, every = 20, last } = {}) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) {
      throw new Error(`not within ${timeout} ms: ${what}${last ? `; last seen: ${await last()}` : ''}`);
    }
    await tick(every);
  }
}

/** Gives the value of `probe` once it has stayed the same for `quiet` ms: nothing moves any more. */
export async function untilStill(what, probe, { quiet = 400, timeout = 15_000 } = {}) {
  let value = await probe();
  let since = Date.now();
  await until(
    `${what} stands still`,
    async () => {
      const now = await probe();
      if (now !== value) [value, since] = [now, Date.now()];
      return Date.now() - since >= quiet;
    },
    { timeout },
  );
  return value;
}

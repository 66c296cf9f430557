// The binary under test, started on a free port and held to its promises when the test ends.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run, scopeOf, start, until, within } from './scope.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** The binary: $WSPROXY, or the release build. */
export const binary = path.resolve(process.env.WSPROXY || path.join(root, 'build/release/wsproxy'));

if (!existsSync(binary)) throw new Error(`there is no ${binary}; build it with: make`);

/** A build with a sanitizer is slower and fatter: limits on memory say nothing there. */
const program = readFileSync(binary);
export const sanitized = program.includes('__asan_init') || program.includes('__tsan_init');

const reports = /(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK failed)/;

function assertNoReport(text) {
  assert.doesNotMatch(text, reports, `the daemon reported a bug of its own:\n${text}`);
}

/** Runs the binary to its end: for usage errors, --help and refusals to start. */
export async function runToEnd(t, args, options) {
  const result = await run(t, binary, args, options);
  assertNoReport(result.stderr);
  return result;
}

const lastLines = (text, count = 20) => text.trimEnd().split('\n').slice(-count).join('\n');

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

export class Proxy {
  /**
   * Starts the daemon and waits for its ready line. `listen` defaults to a free port of 127.0.0.1.
   * When the test ends it gets SIGTERM and must exit with 0 and without a sanitizer's report.
   * `under` is a command that becomes the daemon (`exec`), and `env` what its environment has besides ours.
   */
  static async start(t, target, { args = [], listen = '127.0.0.1:0', cwd, argv, under = [], env } = {}) {
    const proxy = new Proxy();
    proxy.scope = scopeOf(t);
    proxy.under = under;
    proxy.env = env;
    proxy.scope.add(() => proxy.stop());
    await proxy.#spawn(argv ?? [...args, listen, typeof target === 'number' ? `127.0.0.1:${target}` : target], cwd);
    return proxy;
  }

  /**
   * For a proxy that the tests of a file share: starts another on the same port before a test that follows a
   * crash, so that one crash fails the test that caused it and no other.
   */
  static async shared(scope, target, { args = [] } = {}) {
    const proxy = await Proxy.start(scope, target, { args });
    beforeEach(async () => {
      // The kernel knows of the end before Node.js does.
      if (!proxy.ended && (await answers(proxy.port))) return;
      const { output } = proxy.child;
      const { code, signal } = await proxy.child.exited;
      proxy.crash ??= `it ended with ${signal ?? code} during a test; it said:\n${lastLines(output)}`;
      await proxy.#spawn([...args, `127.0.0.1:${proxy.port}`, `127.0.0.1:${target}`]);
    });
    return proxy;
  }

  async #spawn(line, cwd) {
    const [command, ...rest] = [...(this.under ?? []), binary, ...line];
    this.child = start(this.scope, command, rest, { cwd, ...(this.env && { env: { ...process.env, ...this.env } }) });
    this.stdout = '';
    this.log = '';
    this.child.stdout.on('data', (text) => (this.stdout += text));
    this.child.stderr.on('data', (text) => (this.log += text));
    this.ended = false;
    const { child } = this;
    child.once('exit', () => (this.ended = true));
    await until('ready line of wsproxy', () => this.ended || /^open .*\n/m.test(this.stdout), { last: () => child.output });
    if (this.ended) await child.exited;
    assert.ok(!this.ended, `wsproxy ${line.join(' ')} ended at once:\n${child.output}`);
    const ready = /ready: (\S+):(\d+) -> (\S+)$/m.exec(this.stdout);
    assert.ok(ready, `no ready line in:\n${this.stdout}`);
    this.address = ready[1];
    this.port = Number(ready[2]);
    this.url = /^open (\S+)$/m.exec(this.stdout)[1];
  }

  get pid() {
    return this.child.pid;
  }

  /** SIGTERM, then an exit with 0 within 2 s; safe to call twice. Gives the milliseconds it took. */
  async stop(signal = 'SIGTERM') {
    if (this.stopped) return this.stopped;
    this.stopped = (async () => {
      const started = Date.now();
      this.child.kill(signal);
      const { code, signal: killed } = await within(5000, () => `wsproxy to exit after ${signal}\n${lastLines(this.log)}`, this.child.exited);
      assertNoReport(this.log);
      assert.deepEqual({ code, signal: killed }, { code: 0, signal: null }, `exit of wsproxy; it said:\n${lastLines(this.log)}`);
      assert.ok(!this.crash, this.crash);
      return Date.now() - started;
    })();
    return this.stopped;
  }

  /** The lines of the log that match, waited for until there are `count`. */
  async logged(pattern, { count = 1, timeout = 5000 } = {}) {
    const matching = () => this.log.split('\n').filter((line) => pattern.test(line));
    await until(`${count} log line(s) like ${pattern}`, () => matching().length >= count, { timeout, last: () => lastLines(this.log) });
    return matching();
  }

  /** Resident memory of the daemon in KiB. */
  rss() {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }
}

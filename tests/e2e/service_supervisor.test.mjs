// supervisord with the samples that make install puts there: a program, and a socket that supervisord listens on.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { daemonUser, install, missing } from './support/installed.mjs';
import { run, start, until } from './support/scope.mjs';
import { refusedPort, startServer } from './support/servers.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const skip = missing('supervisord', 'supervisorctl');

class Supervisor {
  /** Starts supervisord with the sample, on a free port. */
  static async start(t, sample, listen) {
    const self = new Supervisor();
    self.t = t;
    self.at = await install(t);
    self.port = await refusedPort();
    self.targets = {};
    for (const name of ['one', 'two']) {
      self.targets[name] = await startServer(t, (each) => {
        each.write(name);
        each.pipe(each);
      });
    }
    self.listen = listen ? `listen = 127.0.0.1:${self.port}\n` : '';
    self.configure('one');
    mkdirSync(`${self.at.var}/log/supervisor`);
    mkdirSync(`${self.at.etc}/supervisor/conf.d`, { recursive: true });
    const file = `${self.at.etc}/supervisor/conf.d/wsproxy.conf`;
    copyFileSync(`${self.at.prefix}/share/doc/wsproxy/examples/${sample}`, file);
    chmodSync(file, 0o644);
    // There is no user wsproxy on this machine, and its ports are taken.
    let text = readFileSync(file, 'utf8').replace('tcp://0.0.0.0:6080', `tcp://127.0.0.1:${self.port}`);
    text = text.replace(/^user=wsproxy$/m, daemonUser ? `user=${daemonUser.name}` : '');
    writeFileSync(file, text);
    self.conf = `${self.at.etc}/supervisor/supervisord.conf`;
    writeFileSync(self.conf, `[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=${self.at.run}/supervisord.pid
[unix_http_server]
file=${self.at.run}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${self.at.run}/supervisor.sock
[include]
files = ${self.at.etc}/supervisor/conf.d/*.conf
`);
    const child = start(t, 'supervisord', ['-n', '-c', self.conf], { cwd: '/' });
    await until('the program to run', async () => /RUNNING/.test(await self.status()), { timeout: 20_000, every: 100, last: () => child.output });
    return self;
  }

  configure(target, lines = '') {
    writeFileSync(`${this.at.etc}/wsproxy/wsproxy.conf`, `${this.listen}target = 127.0.0.1:${this.targets[target].port}\n${lines}`);
  }

  async ctl(...args) {
    return run(this.t, 'supervisorctl', ['-c', this.conf, ...args], { timeout: 40_000 });
  }

  async status() {
    const { stdout } = await this.ctl('status');
    return stdout;
  }

  async pid() {
    return Number(/pid (\d+)/.exec(await this.status())?.[1] ?? 0);
  }

  async session(target) {
    const client = await WebSocketClient.open(this.t, { port: this.port });
    assert.equal((await client.bytes(3)).toString(), target);
    return client;
  }

  log() {
    return readFileSync(`${this.at.var}/log/supervisor/wsproxy.log`, 'utf8');
  }
}

async function echoes(client, text = 'still here') {
  await client.send(Buffer.from(text));
  assert.equal((await client.bytes(text.length)).toString(), text);
}

for (const [what, sample, listen, group] of [
  ['program', 'supervisor-program.conf', true, 'wsproxy'],
  ['fcgi-program', 'supervisor-fcgi-program.conf', false, 'wsproxy:*'],
]) {
  test(`${what}: start, status, reload by HUP, a crash, stop`, { skip }, async (t) => {
    const supervisor = await Supervisor.start(t, sample, listen);
    const client = await supervisor.session('one');
    const pid = await supervisor.pid();

    supervisor.configure('two');
    assert.equal((await supervisor.ctl('signal', 'HUP', group)).code, 0);
    await until('a session with the new target', async () => {
      const other = await WebSocketClient.open(t, { port: supervisor.port });
      const said = (await other.bytes(3)).toString();
      await other.finish();
      return said === 'two';
    });
    await echoes(client);
    assert.equal(await supervisor.pid(), pid);
    await until('the log of it', () => / closed /.test(supervisor.log()), { last: () => supervisor.log() });

    process.kill(pid, 'SIGKILL');
    await until('another process', async () => ![0, pid].includes(await supervisor.pid()), { timeout: 20_000, every: 100, last: () => supervisor.status() });
    const again = await until('a session again', () => supervisor.session('two').catch(() => null), { every: 100 });
    await echoes(again);

    const end = again.closed();
    const stopped = supervisor.ctl('stop', group);
    assert.equal((await end).code, 1001);
    assert.equal((await stopped).code, 0);
    assert.match(await supervisor.status(), /STOPPED/);
  });
}

test('a wrong configuration ends with 78, and supervisord does not try again', { skip }, async (t) => {
  const supervisor = await Supervisor.start(t, 'supervisor-program.conf', true);
  supervisor.configure('one', 'no-such-option = 1\n');
  await supervisor.ctl('stop', 'wsproxy');
  await supervisor.ctl('start', 'wsproxy');
  await until('its end', async () => /EXITED|FATAL/.test(await supervisor.status()), { every: 100, last: () => supervisor.status() });
  assert.match(supervisor.log(), /wsproxy\.conf:3/);
});

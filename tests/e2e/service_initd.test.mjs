// The init script as make install puts it, run on this machine from a folder of its own; LSB's exit codes, and
// logrotate with the file for it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { daemonUser, install, missing } from './support/installed.mjs';
import { run, scopeOf, start, until } from './support/scope.mjs';
import { startServer } from './support/servers.mjs';
import { WebSocketClient } from './support/websocket.mjs';

class InitScript {
  /** Installed and configured, with a target that says its name and then sends everything back. */
  static async prepare(t, { configured = true } = {}) {
    const self = new InitScript();
    self.t = t;
    self.at = await install(t);
    self.pidFile = `${self.at.run}/wsproxy.pid`;
    self.log = `${self.at.var}/log/wsproxy/wsproxy.log`;
    self.socket = `${self.at.run}/wsproxy/web.sock`;
    mkdirSync(`${self.at.etc}/default`);
    writeFileSync(`${self.at.etc}/default/wsproxy`, `WSPROXY_USER=${daemonUser?.name ?? ''}\n`);
    self.targets = {};
    for (const name of ['one', 'two']) {
      self.targets[name] = await startServer(t, (each) => {
        each.write(name);
        each.pipe(each);
      });
    }
    if (configured) self.configure();
    scopeOf(t).add(async () => {
      if (existsSync(self.at.program)) await self.call('stop');
    });
    return self;
  }

  configure(lines = '', target = 'one') {
    writeFileSync(`${this.at.etc}/wsproxy/wsproxy.conf`, `listen = unix:${this.socket}\ntarget = 127.0.0.1:${this.targets[target].port}\n${lines}`);
  }

  call(...args) {
    return run(this.t, `${this.at.etc}/init.d/wsproxy`, args, { timeout: 60_000, cwd: '/' });
  }

  /** Calls it and holds it to an exit status. */
  async gives(status, ...args) {
    const { code, stdout, stderr } = await this.call(...args);
    assert.equal(code, status, `${args.join(' ')}: ${stdout}${stderr}${existsSync(this.log) ? readFileSync(this.log, 'utf8') : ''}`);
    return stdout + stderr;
  }

  pid() {
    return existsSync(this.pidFile) ? Number(readFileSync(this.pidFile, 'utf8')) : 0;
  }

  async session(target = 'one') {
    const client = await WebSocketClient.open(this.t, { socketPath: this.socket });
    assert.equal((await client.bytes(3)).toString(), target);
    return client;
  }
}

async function echoes(client, text = 'still here') {
  await client.send(Buffer.from(text));
  assert.equal((await client.bytes(text.length)).toString(), text);
}

test('start, status, reload, restart, stop', async (t) => {
  const script = await InitScript.prepare(t);
  await script.gives(3, 'status');
  await script.gives(0, 'start');
  assert.match(await script.gives(0, 'status'), /running, process \d+/);
  const pid = script.pid();
  assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /wsproxy/);
  const client = await script.session();
  await script.gives(0, 'start');
  assert.equal(script.pid(), pid);

  script.configure('', 'two');
  for (const action of ['reload', 'force-reload']) await script.gives(0, action);
  await until('a session with the new target', async () => {
    const other = await WebSocketClient.open(t, { socketPath: script.socket });
    const said = (await other.bytes(3)).toString();
    await other.finish();
    return said === 'two';
  });
  await echoes(client);
  assert.equal(script.pid(), pid);

  const end = client.closed();
  await script.gives(0, 'restart');
  assert.equal((await end).code, 1001);
  assert.notEqual(script.pid(), pid);
  await script.session('two');
  await script.gives(0, 'try-restart');
  await script.gives(0, 'stop');
  await script.gives(3, 'status');
  assert.equal(existsSync(script.pidFile), false);
  assert.equal(existsSync(script.socket), false);
});

test('a wrong configuration: start fails, reload and restart leave what runs as it is', async (t) => {
  const script = await InitScript.prepare(t);
  script.configure('no-such-option = 1\n');
  assert.match(await script.gives(1, 'start'), /wsproxy\.conf:3/);
  await script.gives(3, 'status');
  script.configure();
  await script.gives(0, 'start');
  const pid = script.pid();
  const client = await script.session();
  script.configure('no-such-option = 1\n');
  assert.match(await script.gives(1, 'reload'), /wsproxy\.conf:3/);
  await script.gives(6, 'restart');
  await echoes(client);
  assert.equal(script.pid(), pid);
});

test('after a crash, status is 1 and start works', async (t) => {
  const script = await InitScript.prepare(t);
  await script.gives(0, 'start');
  const pid = script.pid();
  process.kill(pid, 'SIGKILL');
  await until('its end', async () => (await script.call('status')).code === 1);
  await script.gives(0, 'start');
  assert.notEqual(script.pid(), pid);
  await echoes(await script.session());
});

test('a pid file with the number of another process is not taken for the daemon\'s', async (t) => {
  const script = await InitScript.prepare(t);
  const other = start(t, 'sleep', ['600']);
  writeFileSync(script.pidFile, `${other.pid}\n`);
  await script.gives(1, 'status');
  await script.gives(0, 'stop');
  writeFileSync(script.pidFile, `${other.pid}\n`);
  await script.gives(0, 'start');
  assert.notEqual(script.pid(), other.pid);
  assert.equal(other.exitCode ?? other.signalCode, null);
  await echoes(await script.session());
});

test('exit codes without a daemon: 0, 2, 5, 6, 7', async (t) => {
  const script = await InitScript.prepare(t, { configured: false });
  await script.gives(2);
  await script.gives(2, 'launch');
  await script.gives(6, 'start');
  await script.gives(7, 'reload');
  for (const action of ['stop', 'try-restart', 'force-reload']) await script.gives(0, action);
  await script.gives(3, 'status');
  rmSync(script.at.program);
  await script.gives(5, 'start');
  await script.gives(0, 'stop');
});

test('logrotate: lines go on in a new file, and none is lost', { skip: missing('logrotate') }, async (t) => {
  const script = await InitScript.prepare(t);
  const file = `${script.at.etc}/logrotate.d/wsproxy`;
  // There is no user wsproxy on this machine.
  const owner = daemonUser ? `${daemonUser.name} ${daemonUser.group}` : '';
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('wsproxy wsproxy', owner).replace(daemonUser ? /$^/ : /^\s*su.*$/m, ''));
  await script.gives(0, 'start');
  const sessions = async (count) => {
    for (let i = 0; i < count; i++) {
      const client = await script.session();
      await client.finish();
    }
  };
  const closings = (name) => readFileSync(`${script.at.var}/log/wsproxy/${name}`, 'utf8').split('\n').filter((line) => / closed /.test(line)).length;
  await sessions(10);
  await until('ten lines', () => closings('wsproxy.log') === 10);
  // Sessions all along: what is written between the renaming and the signal goes to the old file.
  let going = true;
  let count = 10;
  const steady = (async () => {
    while (going) {
      await sessions(1);
      count++;
    }
  })();
  const inode = statSync(script.log).ino;
  for (let turn = 0; turn < 2; turn++) {
    const { code, stdout, stderr } = await run(t, 'logrotate', ['-f', '-s', `${script.at.top}/state`, file]);
    assert.equal(code, 0, stdout + stderr);
    if (turn === 0) assert.notEqual(statSync(script.log).ino, inode);
    const now = count;
    await until('a few more sessions', () => count >= now + 5);
  }
  going = false;
  await steady;
  const names = () => readdirSync(`${script.at.var}/log/wsproxy`).filter((name) => /^wsproxy\.log(\.\d)?$/.test(name));
  const all = async () => {
    let sum = 0;
    for (const name of readdirSync(`${script.at.var}/log/wsproxy`)) {
      const text = (await run(t, 'zcat', ['-f', `${script.at.var}/log/wsproxy/${name}`])).stdout;
      sum += text.split('\n').filter((line) => / closed /.test(line)).length;
    }
    return sum;
  };
  await until('a line for every session', async () => (await all()) === count, { last: async () => `${await all()} of ${count} in ${names()}` });
  assert.ok(closings('wsproxy.log') >= 4, 'the new file has the newest');
});

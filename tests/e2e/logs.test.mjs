// The logs: where lines go, in which form, what rotation, full queues and sudden ends do to them.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { existsSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { get, raw } from './support/http.mjs';
import { Proxy, runToEnd } from './support/proxy.mjs';
import { scopeOf, tempDir, until, within } from './support/scope.mjs';
import { startEcho } from './support/servers.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const text = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
const linesOf = (file) => text(file).split('\n').filter((line) => line !== '');

/** One session with a secret in its address: 300 bytes there and back. */
async function oneSession(t, proxy, headers = {}) {
  const client = await WebSocketClient.open(t, { port: proxy.port, path: '/websockify?token=SECRET', headers });
  await client.send(Buffer.alloc(300));
  await client.bytes(300);
  await client.close(1000, 'done');
  await client.closed();
  await proxy.logged(/\] closed /);
}

/** The processes that write the daemon's files. */
function writersOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/comm`, 'utf8') === 'wsproxy-log\n' && readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(pid);
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}

test('--log-file has every line that standard error has, complete when the daemon has ended', async (t) => {
  const file = path.join(tempDir(t), 'log');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--log-file', file] });
  await oneSession(t, proxy);
  await proxy.stop();
  assert.match(text(file), /\] open .*\n.*\] closed .*\n.*SIGTERM/);
  assert.equal(text(file), proxy.log);
  assert.equal(statSync(file).mode & 0o7137, 0, 'nobody but its group may read it');
});

test('SIGUSR1 moves the log and the access log to new files after they were renamed', async (t) => {
  const dir = tempDir(t);
  const [log, access] = [path.join(dir, 'log'), path.join(dir, 'access')];
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--log-file', log, '--access-log', access] });
  await get(t, proxy.port, '/before');
  await until('a line before', () => linesOf(access).length === 1);
  renameSync(log, `${log}.1`);
  renameSync(access, `${access}.1`);
  process.kill(proxy.pid, 'SIGUSR1');
  await proxy.logged(/SIGUSR1/);
  await get(t, proxy.port, '/after');
  await proxy.stop();
  assert.match(text(`${access}.1`), /\/before/);
  assert.doesNotMatch(text(`${access}.1`), /\/after/);
  assert.match(text(access), /\/after/);
  assert.match(text(log), /SIGTERM/);
  assert.doesNotMatch(text(`${log}.1`), /SIGTERM/);
});

test('--log-format json is one object a line, with the fields of a session', async (t) => {
  const file = path.join(tempDir(t), 'log');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--log-format', 'json', '--log-file', file] });
  await oneSession(t, proxy);
  await proxy.stop();
  const records = linesOf(file).map((line) => JSON.parse(line));
  assert.deepEqual(records, proxy.log.trim().split('\n').map((line) => JSON.parse(line)));
  for (const record of records) {
    assert.match(record.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(record.level, /^(error|warning|info|debug)$/);
  }
  const closed = records.find((record) => / closed /.test(record.message));
  assert.equal(typeof closed.session, 'number');
  assert.match(closed.client, /^127\.0\.0\.1:\d+$/);
  assert.equal(closed.target, `127.0.0.1:${echo.port}`);
  assert.equal(closed.reason, 'client closed: done');
  assert.deepEqual([closed.close_code, closed.bytes_to_target, closed.bytes_to_client], [1000, 300, 300]);
  assert.equal(typeof closed.duration, 'number');
});

test('the access log has a line for pages, refusals and sessions, and no query of any', async (t) => {
  const file = path.join(tempDir(t), 'access');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--access-log', file] });
  await get(t, proxy.port, '/?token=SECRET', { Referer: 'http://a.example/x?token=SECRET', 'User-Agent': 'Mozilla/5.0 "quoted"' });
  await raw(t, proxy.port, 'BREW /pot?token=SECRET HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await oneSession(t, proxy);
  await proxy.stop();
  const lines = linesOf(file);
  assert.equal(lines.length, 3, lines.join('\n'));
  const stamp = String.raw`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] `;
  assert.match(lines[0], new RegExp(`${stamp}"GET / HTTP/1\\.1" 200 \\d+ "http://a\\.example/x" "Mozilla/5\\.0 \\\\x22quoted\\\\x22" session=\\d+ duration=\\d+\\.\\d{3}$`));
  assert.match(lines[1], new RegExp(`${stamp}"BREW /pot HTTP/1\\.1" 501 \\d+ "-" "-" session=\\d+ duration=`));
  assert.match(lines[2], new RegExp(`${stamp}"GET /websockify HTTP/1\\.1" 101 300 "-" "-" session=\\d+ target=127\\.0\\.0\\.1:${echo.port} to_target=300 to_client=300 close_code=1000 duration=`));
  assert.doesNotMatch(text(file), /SECRET/);
});

test('--access-format json is one object a line', async (t) => {
  const file = path.join(tempDir(t), 'access');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--access-log', file, '--access-format', 'json'] });
  await oneSession(t, proxy);
  await proxy.stop();
  const [entry] = linesOf(file).map((line) => JSON.parse(line));
  assert.equal(entry.path, '/websockify');
  assert.deepEqual([entry.status, entry.bytes_to_target, entry.bytes_to_client, entry.close_code], [101, 300, 300, 1000]);
});

test('--syslog HOST:PORT sends RFC 5424 over UDP, --legacy-syslog the older form', async (t) => {
  const server = dgram.createSocket('udp4');
  scopeOf(t).add(() => server.close());
  const messages = [];
  server.on('message', (message) => messages.push(message.toString()));
  await new Promise((resolve) => server.bind(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--syslog', `localhost:${port}`] });
  await oneSession(t, proxy);
  await until('the closed line', () => messages.some((message) => / closed /.test(message)));
  const closed = messages.find((message) => / closed /.test(message));
  assert.match(closed, new RegExp(`^<14>1 \\S+Z \\S+ wsproxy ${proxy.pid} - \\[wsproxy@32473 session="\\d+" client="127\\.0\\.0\\.1:\\d+" .*close_code="1000".*\\] \\[s\\d+ .* closed `));
  assert.ok(!closed.endsWith('\n'));
  await proxy.stop();
  messages.length = 0;
  const legacy = await Proxy.start(t, echo.port, { args: ['--syslog', `127.0.0.1:${port}`, '--legacy-syslog'] });
  await oneSession(t, legacy);
  await until('the closed line', () => messages.some((message) => / closed /.test(message)));
  assert.match(messages.find((message) => / closed /.test(message)), new RegExp(`^<14>wsproxy\\[${legacy.pid}\\]: \\[s\\d+ `));
});

test('--syslog finds a stream socket again after its daemon was restarted', async (t) => {
  const socket = path.join(tempDir(t), 'log.sock');
  let received = '';
  const connections = new Set();
  const listen = () =>
    new Promise((resolve) => {
      const server = net.createServer((connection) => {
        connections.add(connection);
        connection.on('data', (bytes) => (received += bytes));
      });
      server.listen(socket, () => resolve(server));
    });
  let server = await listen();
  const stop = async () => {
    for (const connection of connections) connection.destroy();
    connections.clear();
    await new Promise((resolve) => server.close(resolve));
  };
  scopeOf(t).add(stop);
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--syslog', socket] });
  await oneSession(t, proxy);
  await until('a closed line', () => / closed .*\n/.test(received));
  await stop();
  received = '';
  server = await listen();
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await until('the log over a new connection', () => / open .*\n/.test(received));
  await client.close();
  await client.closed();
});

test('a log file that is a link, or is nowhere, is an error before anything listens', async (t) => {
  const dir = tempDir(t);
  symlinkSync('/etc/passwd', path.join(dir, 'link'));
  for (const [option, file, why] of [
    ['--log-file', path.join(dir, 'link'), 'is a symbolic link'],
    ['--access-log', path.join(dir, 'none/access'), 'no such file or directory'],
    ['--log-file', dir, 'is no regular file'],
  ]) {
    const result = await runToEnd(t, [option, file, '127.0.0.1:0', '127.0.0.1:1']);
    assert.equal(result.code, 1, result.stderr);
    assert.ok(result.stderr.includes(`${option} ${file}: `), result.stderr);
    assert.ok(result.stderr.includes(why), result.stderr);
    assert.equal(result.stdout, '');
  }
});

test('a disk that hangs holds no session up', async (t) => {
  const file = path.join(tempDir(t), 'log');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['-v', '--log-file', file, '--access-log', `${file}.access`] });
  const writers = writersOf(proxy.pid);
  assert.equal(writers.length, 2);
  for (const pid of writers) process.kill(pid, 'SIGSTOP'); // as one that waits for its disk
  scopeOf(t).add(() => {
    for (const pid of writers) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // it has ended
      }
    }
  });
  for (let i = 0; i < 50; i++) await get(t, proxy.port, `/none/${'x'.repeat(4000)}`);
  await oneSession(t, proxy);
  for (const pid of writers) process.kill(pid, 'SIGCONT');
  await proxy.stop();
  assert.match(text(file), / closed /);
  assert.equal(linesOf(`${file}.access`).length, 51);
});

test('the last lines come out, and the writers go, when the daemon is killed', async (t) => {
  const file = path.join(tempDir(t), 'log');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--log-file', file] });
  const [writer] = writersOf(proxy.pid);
  process.kill(writer, 'SIGSTOP');
  await oneSession(t, proxy);
  assert.equal(text(file).match(/ closed /), null);
  proxy.stopped = Promise.resolve(0); // it will not exit with 0
  process.kill(proxy.pid, 'SIGKILL');
  await within(5000, 'the end of the daemon', proxy.child.exited);
  process.kill(writer, 'SIGCONT');
  await until('the end of the writer', () => !existsSync(`/proc/${writer}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${writer}/status`, 'utf8')));
  assert.match(text(file), / closed /);
});

test('a flood of refused requests is some lines and a count, and all of them in the access log', async (t) => {
  const file = path.join(tempDir(t), 'access');
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--access-log', file] });
  for (let i = 0; i < 100; i++) await raw(t, proxy.port, 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await proxy.stop();
  const refused = proxy.log.split('\n').filter((line) => / refused: /.test(line)).length;
  const left = proxy.log.match(/refused requests \((\d+) more like this in the last \d+ s\)/g) ?? [];
  const more = left.map((line) => Number(/\((\d+)/.exec(line)[1])).reduce((a, b) => a + b, 0);
  assert.ok(refused >= 20 && refused < 100, `${refused} lines`);
  assert.equal(refused + more, 100);
  assert.equal(linesOf(file).length, 100);
});

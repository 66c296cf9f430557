// Which pages may connect, and by which names we are asked: cross-site hijacking and DNS rebinding from outside.
import assert from 'node:assert/strict';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { HttpClient, get } from './support/http.mjs';
import { Proxy, runToEnd } from './support/proxy.mjs';
import { tempDir } from './support/scope.mjs';
import { startEcho, startServer } from './support/servers.mjs';
import { makeAuthority } from './support/tls.mjs';
import { WebSocketClient, connect, parseHead, upgradeRequest } from './support/websocket.mjs';
import { Reader } from './support/bytes.mjs';

/** What an upgrade with these headers is answered with. */
async function answer(t, proxy, headers, options = {}) {
  const socket = await connect(t, { port: proxy.port, ...options });
  socket.write(upgradeRequest({ headers }));
  return parseHead(await new Reader(socket).readUntil('\r\n\r\n'));
}

test('a page of another origin gets 403 and the target no connection', async (t) => {
  let connections = 0;
  const target = await startServer(t, () => connections++);
  const proxy = await Proxy.start(t, target.port);
  const host = `127.0.0.1:${proxy.port}`;
  for (const origin of ['http://evil.example', `http://${host}.evil.example`, `http://localhost:${proxy.port}`, 'http://127.0.0.1:1', 'null', 'file://', '']) {
    assert.equal((await answer(t, proxy, { Host: host, Origin: origin })).status, 403, origin);
  }
  assert.equal(connections, 0);
  const [line] = await proxy.logged(/refused: 403 .*evil\.example asks for .*--origin/);
  assert.match(line, /--origin http:\/\/evil\.example$/);
});

test('pages of its own, listed ones and programs that are no browsers connect', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--origin', 'https://portal.example', '--origin', 'http://*.lab.example:8080'] });
  const host = `127.0.0.1:${proxy.port}`;
  const good = [{}, { Origin: `http://${host}` }, { Origin: 'https://portal.example' }, { Origin: 'http://a.lab.example:8080' }];
  // a reverse proxy that has taken off TLS, with the port in Host and without
  good.push({ Origin: 'https://localhost:8443', Host: 'localhost:8443' }, { Origin: 'https://localhost', Host: 'localhost' });
  for (const headers of good) {
    assert.equal((await answer(t, proxy, { Host: host, ...headers })).status, 101, JSON.stringify(headers));
  }
  assert.equal((await answer(t, proxy, { Host: host, Origin: 'http://portal.example' })).status, 403);
});

test('--origin=* lets every page connect', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--origin=*'] });
  for (const origin of ['http://evil.example', 'null']) {
    assert.equal((await answer(t, proxy, { Origin: origin })).status, 101, origin);
  }
});

test('a name that somebody else has pointed at us gets neither page nor WebSocket', async (t) => {
  let connections = 0;
  const target = await startServer(t, () => connections++);
  const proxy = await Proxy.start(t, target.port);
  for (const host of ['rebound.example', `rebound.example:${proxy.port}`, '192.0.2.7', '127.0.0.1.rebound.example', '[::1]']) {
    const page = await get(t, proxy.port, '/', { Host: host });
    assert.equal(page.status, 421, host);
    assert.match(page.body.toString(), /--server-name/);
    // the page's origin is the very host that is asked: only its name gives it away
    assert.equal((await answer(t, proxy, { Host: host, Origin: `http://${host}` })).status, 421, host);
  }
  assert.equal(connections, 0);
  await proxy.logged(/refused: 421 Host is rebound\.example: to serve it, say --server-name rebound\.example$/);
});

test('localhost, the address, this machine and the names given are served', async (t) => {
  const echo = await startEcho(t);
  const proxy = await Proxy.start(t, echo.port, { args: ['--server-name', 'Desk.Example.org', '--server-name=*.lab.example'] });
  const hosts = [`127.0.0.1:${proxy.port}`, 'LOCALHOST:1', 'localhost.', os.hostname(), `${os.hostname().split('.')[0]}.local`, 'desk.example.org:443', 'a.lab.example'];
  for (const host of hosts) assert.equal((await get(t, proxy.port, '/', { Host: host })).status, 200, host);
  const old = await HttpClient.open(t, { port: proxy.port });
  assert.equal((await old.raw('GET / HTTP/1.0\r\n\r\n')).status, 200, 'a probe without Host');
});

test('the names in the certificate are ours', async (t) => {
  const echo = await startEcho(t);
  const authority = await makeAuthority(t);
  const { cert, key } = await authority.issue('desk', { alt: 'DNS:desk.example,DNS:*.wild.example' });
  const proxy = await Proxy.start(t, echo.port, { args: ['--cert', cert, '--key', key] });
  for (const secure of [false, true]) {
    for (const [host, status] of [['desk.example', 200], ['a.wild.example', 200], ['other.example', 421]]) {
      assert.equal((await get(t, proxy.port, '/', { Host: host }, { secure })).status, status, `${host} ${secure}`);
    }
  }
  assert.equal((await answer(t, proxy, { Host: 'desk.example', Origin: 'https://desk.example' }, { secure: true })).status, 101);
  assert.equal((await answer(t, proxy, { Host: 'desk.example', Origin: 'http://desk.example' }, { secure: true })).status, 403);
});

test('a reverse proxy on a Unix socket may pass on any Host', async (t) => {
  const echo = await startEcho(t);
  const socketPath = path.join(tempDir(t), 'ws');
  await Proxy.start(t, echo.port, { argv: ['--listen', '127.0.0.1:0', '--listen', `unix:${socketPath}`, `127.0.0.1:${echo.port}`] });
  const headers = { Host: 'public.example', Origin: 'https://public.example' };
  const client = await WebSocketClient.open(t, { socketPath, headers });
  await client.send('hello');
  assert.equal((await client.bytes(5)).toString(), 'hello');
});

for (const [option, value] of [['origin', 'portal.example'], ['server-name', 'https://desk.example']]) {
  test(`--${option} that cannot be one is an error at the start`, async (t) => {
    const result = await runToEnd(t, [`--${option}`, value, '127.0.0.1:0', '127.0.0.1:5900']);
    assert.equal(result.code, 2);
    assert.match(result.stderr, new RegExp(`--${option}: '${value}' is not`));
  });
}

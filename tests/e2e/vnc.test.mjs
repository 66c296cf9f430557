// Real VNC servers, spoken to through the proxy in RFB.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { startTigerVnc, startX11vnc } from './support/desktop.mjs';
import { Proxy } from './support/proxy.mjs';
import { handshake, wholePicture } from './support/rfb.mjs';
import { fileScope, tempDir, within } from './support/scope.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

const scope = fileScope();
const certificate = await makeCertificate(scope);

async function differing(desktop, picture) {
  const screen = await desktop.picture();
  let count = 0;
  for (let i = 0; i < picture.length; i += 4) {
    if (picture[i] !== screen.pixels[i] || picture[i + 1] !== screen.pixels[i + 1] || picture[i + 2] !== screen.pixels[i + 2]) count++;
  }
  return count;
}

for (const secure of [false, true]) {
  for (const protocols of ['binary', undefined]) {
    test(`TigerVNC without a password: the picture is the server's, ${secure ? 'TLS' : 'plain'}, subprotocol ${protocols ?? 'absent'}`, async (t) => {
      const desktop = await startTigerVnc(t);
      await desktop.showNoise();
      const proxy = await Proxy.start(t, `localhost:${desktop.port}`, { args: ['--cert', certificate.cert, '--key', certificate.key] });
      const client = await WebSocketClient.open(t, { port: proxy.port, secure, protocols });
      const server = await handshake(client);
      assert.equal(server.version, 'RFB 003.008\n');
      assert.deepEqual([server.width, server.height], [1024, 768]);
      assert.equal(await differing(desktop, await wholePicture(client, server)), 0);
    });
  }
}

test('TigerVNC with a password: the right one opens, a wrong one is refused in the server\'s words', async (t) => {
  const desktop = await startTigerVnc(t, { password: 'correct1', width: 640, height: 480 });
  await desktop.showNoise();
  const proxy = await Proxy.start(t, `localhost:${desktop.port}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const server = await handshake(client, { password: 'correct1' });
  assert.equal(await differing(desktop, await wholePicture(client, server)), 0);
  const wrong = await WebSocketClient.open(t, { port: proxy.port });
  await assert.rejects(handshake(wrong, { password: 'incorrect' }), /refused: .*authentication/i);
  assert.equal((await wrong.closed()).code, 1000);
});

test('TigerVNC on a Unix socket', async (t) => {
  const socket = path.join(tempDir(t), 'rfb');
  const desktop = await startTigerVnc(t, { width: 640, height: 480, args: ['-rfbport', '-1', '-rfbunixpath', socket] });
  await desktop.showNoise();
  const proxy = await Proxy.start(t, `unix:${socket}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  assert.equal(await differing(desktop, await wholePicture(client, await handshake(client))), 0);
});

test('x11vnc on Xvfb: the picture is the server\'s', async (t) => {
  const desktop = await startX11vnc(t);
  await desktop.showNoise();
  const proxy = await Proxy.start(t, `127.0.0.1:${desktop.port}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  const server = await handshake(client);
  assert.deepEqual([server.width, server.height], [1024, 768]);
  // x11vnc polls the screen and paints the pointer into the picture: 0.05 % are the pointer's.
  const allowed = 1024 * 768 * 0.0005;
  const count = await differing(desktop, await wholePicture(client, server));
  assert.ok(count <= allowed, `${count} pixels differ`);
});

test('a server that is killed: the browser is told with 1000 or 1001', async (t) => {
  const desktop = await startTigerVnc(t, { width: 640, height: 480 });
  const proxy = await Proxy.start(t, `localhost:${desktop.port}`);
  const client = await WebSocketClient.open(t, { port: proxy.port });
  await handshake(client);
  desktop.server.kill('SIGKILL');
  const { code, reason } = await within(5000, 'Close', client.closed());
  assert.ok([1000, 1001].includes(code), `code ${code}`);
  assert.notEqual(reason, '');
});

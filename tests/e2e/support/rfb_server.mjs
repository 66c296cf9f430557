// VNC servers and proxies that do what real ones do rarely, and remember what the viewer sent them.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Reader } from './bytes.mjs';
import { Ra2 } from './ra2.mjs';
import { scopeOf } from './scope.mjs';
import { startServer, writeAll } from './servers.mjs';
import { acceptOf, closePayload, frame, Op } from './websocket.mjs';

/** An update of one rectangle in Tight, ten by ten, whose zlib stream is none. */
const spoiled = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 10, 0, 10, 0, 0, 0, 7, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9]);

/**
 * A server with one grey picture. One signs in by name and password (VeNCrypt's Plain) when `plain` has these, by the
 * password of `ra2` behind a key to be approved (RA2ne), or not at all; `.fingerprint` is that key's.
 * `.seen` is what the viewer told it: `shared`, `repeater`, `signin` (name and password), `keys` (number and whether
 * down), `encodings`, `power` (xvp). `.ring(text)` rings its bell, then says that the text was copied, `.spoil()` sends a picture that cannot
 * be unpacked.
 */
export async function startRfbServer(t, { name = 'Grey machine', width = 640, height = 480, power = true, repeater = false, plain, ra2 } = {}) {
  const identity = ra2 && new Ra2();
  const seen = { keys: [], encodings: [], power: [], signin: [], shared: undefined, repeater: undefined };
  let last;
  const signIn = async (reader) => {
    if (identity) return (await identity.exchange(reader)) === ra2;
    if (!plain) return true;
    const { username, password } = plain;
    await reader.write(Buffer.from([0, 2]));
    await reader.read(2);
    await reader.write(Buffer.from([0, 1, 0, 0, 1, 0])); // agreed; one way: 256
    await reader.read(4);
    const lengths = await reader.read(8);
    const given = [String(await reader.read(lengths.readUInt32BE(0))), String(await reader.read(lengths.readUInt32BE(4)))];
    seen.signin.push(given);
    return given[0] === username && given[1] === password;
  };
  const serve = async (reader) => {
    if (repeater) {
      await reader.write(Buffer.from('RFB 000.000\n'));
      seen.repeater = String(await reader.read(250)).replace(/\0.*$/s, '');
    }
    await reader.write(Buffer.from('RFB 003.008\n'));
    await reader.read(12);
    await reader.write(Buffer.from([1, plain ? 19 : ra2 ? 6 : 1]));
    await reader.read(1);
    if (!(await signIn(reader))) {
      await reader.write(Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 7]), Buffer.from('unknown')]));
      return reader.socket.end();
    }
    await reader.write(Buffer.alloc(4));
    seen.shared = (await reader.read(1))[0] !== 0;
    const init = Buffer.alloc(24);
    init.writeUInt16BE(width, 0);
    init.writeUInt16BE(height, 2);
    init.set([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0], 4);
    init.writeUInt32BE(Buffer.byteLength(name), 20);
    await reader.write(Buffer.concat([init, Buffer.from(name), power ? Buffer.from([250, 0, 1, 1]) : Buffer.alloc(0)]));
    for (;;) {
      const [type] = await reader.read(1);
      if (type === 0) await reader.read(19);
      else if (type === 2) {
        const count = (await reader.read(3)).readUInt16BE(1);
        const list = await reader.read(count * 4);
        seen.encodings = Array.from({ length: count }, (_, i) => list.readInt32BE(i * 4));
      } else if (type === 3) {
        const request = await reader.read(9);
        if (request[0] === 1) continue;
        const [w, h] = [request.readUInt16BE(5), request.readUInt16BE(7)];
        const head = Buffer.alloc(16);
        head.writeUInt16BE(1, 2);
        request.copy(head, 4, 1, 9);
        await reader.write(Buffer.concat([head, Buffer.alloc(w * h * 4, 0x77)]));
      } else if (type === 4) {
        const key = await reader.read(7);
        seen.keys.push([key.readUInt32BE(3), key[0] === 1]);
      } else if (type === 5) await reader.read(5);
      else if (type === 6) await reader.read((await reader.read(7)).readUInt32BE(3));
      else if (type === 250) seen.power.push((await reader.read(3))[2]);
      else throw new Error(`message ${type} of the viewer`);
    }
  };
  const server = await startServer(t, (socket) => {
    last = Object.assign(new Reader(socket, { timeout: 600_000 }), { write: (bytes) => writeAll(socket, bytes) });
    serve(last).catch(() => {}); // the viewer has gone
  });
  return { port: server.port, seen, fingerprint: identity?.fingerprint, ring: (text) => last.write(Buffer.concat([Buffer.from([2, 3, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)])), spoil: () => last.write(spoiled) };
}

/** A proxy that greets like a VNC server and closes with this code and reason. `.urls` are those asked for. */
export async function startClosingProxy(t, code, reason) {
  const urls = [];
  const server = http.createServer((request, response) => response.end());
  server.on('upgrade', (request, socket) => {
    urls.push(request.url);
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'])}\r\n\r\n`);
    socket.write(frame(Op.binary, Buffer.from('RFB 003.008\n'), { masked: false }));
    socket.write(frame(Op.close, closePayload(code, reason), { masked: false }));
    socket.on('data', (bytes) => {
      if ((bytes[0] & 0x0f) === Op.close) socket.end();
    });
  });
  return { port: await listen(t, server), urls };
}

/**
 * A web server that shows the proxy's pages below `prefix` and nowhere else; `refuse` is its answer to WebSockets (or
 * gives one for each address), and requests with the method `silence` get none. `.silenced` counts these, `.upgrades`
 * are the addresses of the WebSockets.
 */
export async function startReverseProxy(t, port, prefix, { refuse, silence } = {}) {
  const outside = [];
  const upgrades = [];
  let silenced = 0;
  const forward = (request, answer) => {
    if (!request.url.startsWith(prefix)) outside.push(request.url);
    const to = http.request({ port, host: '127.0.0.1', method: request.method, headers: request.headers, path: request.url.replace(prefix, '/') });
    to.on('error', () => request.socket.destroy());
    answer(to);
    return to;
  };
  const server = http.createServer((request, response) => {
    if (request.method === silence) return void (silenced += 1);
    forward(request, (to) => to.on('response', (from) => from.pipe(response.writeHead(from.statusCode, from.headers)))).end();
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    upgrades.push(request.url);
    const refusal = typeof refuse === 'function' ? refuse(request.url) : refuse;
    if (refusal) return socket.end(`HTTP/1.1 ${refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    forward(request, (to) => to.on('upgrade', (answer, upstream, first) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      upstream.on('error', () => socket.destroy());
      upstream.pipe(socket).pipe(upstream);
    })).end();
  });
  return { port: await listen(t, server), outside, upgrades, silenced: () => silenced };
}

/** Any web server: the files of a folder, but for those named in `silent`, to which it never gives an answer. */
export async function startWebServer(t, folder, { silent = [] } = {}) {
  const types = { html: 'text/html', js: 'text/javascript', css: 'text/css', json: 'application/json', svg: 'image/svg+xml', png: 'image/png' };
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, 'http://any/').pathname).replace(/\/$/, '/vnc.html').slice(1);
    if (silent.includes(name)) return;
    const file = path.join(folder, path.basename(name));
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': types[name.split('.').pop()] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  return { port: await listen(t, server) };
}

async function listen(t, server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  scopeOf(t).add(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return server.address().port;
}

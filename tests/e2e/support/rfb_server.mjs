// VNC servers and proxies that do what real ones do rarely, and remember what the viewer sent them.
import { once } from 'node:events';
import http from 'node:http';
import { Reader } from './bytes.mjs';
import { scopeOf } from './scope.mjs';
import { startServer, writeAll } from './servers.mjs';
import { acceptOf, closePayload, frame, Op } from './websocket.mjs';

/**
 * A server with one grey picture, without sign-in. `.seen` is what the viewer told it: `shared`, `repeater`, `keys`
 * (number and whether down), `encodings`, `power` (xvp). `.ring()` rings its bell.
 */
export async function startRfbServer(t, { name = 'Grey machine', width = 640, height = 480, power = true, repeater = false } = {}) {
  const seen = { keys: [], encodings: [], power: [], shared: undefined, repeater: undefined };
  let last;
  const serve = async (reader) => {
    if (repeater) {
      await reader.write(Buffer.from('RFB 000.000\n'));
      seen.repeater = String(await reader.read(250)).replace(/\0.*$/s, '');
    }
    await reader.write(Buffer.from('RFB 003.008\n'));
    await reader.read(12);
    await reader.write(Buffer.from([1, 1]));
    await reader.read(1);
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
  return { port: server.port, seen, ring: () => last.write(Buffer.from([2])) };
}

/** A server that shows the key it goes by (RA2) and waits for an answer. */
export function startIdentityServer(t) {
  return startServer(t, (socket) => {
    socket.write('RFB 003.008\n');
    let answers = 0;
    socket.on('data', () => {
      answers += 1;
      if (answers === 1) socket.write(Buffer.from([1, 6]));
      if (answers !== 2) return;
      const [length, modulus, exponent] = [Buffer.alloc(4), Buffer.alloc(256, 0xab), Buffer.alloc(256)];
      length.writeUInt32BE(2048);
      exponent.set([1, 0, 1], 253);
      socket.write(Buffer.concat([length, modulus, exponent]));
    });
    socket.resume();
  });
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

/** A web server that shows the proxy's pages below `prefix` and nowhere else; `refuse` is its answer to WebSockets. */
export async function startReverseProxy(t, port, prefix, { refuse } = {}) {
  const outside = [];
  const forward = (request, answer) => {
    if (!request.url.startsWith(prefix)) outside.push(request.url);
    const to = http.request({ port, host: '127.0.0.1', method: request.method, headers: request.headers, path: request.url.replace(prefix, '/') });
    to.on('error', () => request.socket.destroy());
    answer(to);
    return to;
  };
  const server = http.createServer((request, response) => {
    forward(request, (to) => to.on('response', (from) => from.pipe(response.writeHead(from.statusCode, from.headers)))).end();
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    if (refuse) return socket.end(`HTTP/1.1 ${refuse}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    forward(request, (to) => to.on('upgrade', (answer, upstream, first) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      upstream.on('error', () => socket.destroy());
      upstream.pipe(socket).pipe(upstream);
    })).end();
  });
  return { port: await listen(t, server), outside };
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

// Servers that stand where the VNC server would: each behaves in one way a test needs.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Reader } from './bytes.mjs';
import { scopeOf, start, until, within } from './scope.mjs';

/** A TCP server that hands each connection to `accept(socket)`. `.next()` waits for the next connection. */
export async function startServer(t, accept = () => {}, listen = { port: 0, host: '127.0.0.1' }) {
  const sockets = new Set();
  const queue = [];
  const waiting = [];
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    accept(socket);
    if (waiting.length > 0) waiting.shift()(socket);
    else queue.push(socket);
  });
  server.listen(listen);
  await once(server, 'listening');
  scopeOf(t).add(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    port: server.address().port,
    sockets,
    /** Connections that no test has asked for are those of tests that are over. */
    forget: () => queue.splice(0),
    /** The next connection not yet asked for, with a Reader when none reads it yet. */
    async next() {
      const socket = queue.shift() ?? (await within(10_000, 'a connection from the proxy', new Promise((resolve) => waiting.push(resolve))));
      return socket;
    },
    /** The same, as something to read from. */
    async nextReader() {
      const socket = await this.next();
      return Object.assign(new Reader(socket), { write: (bytes) => writeAll(socket, bytes) });
    },
  };
}

/** Done when the kernel has all of it. */
export function writeAll(socket, bytes) {
  return new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())));
}

/** Sends everything back, and its end. */
export function startEcho(t) {
  return startServer(t, (socket) => {
    socket.pipe(socket);
  });
}

/** Greets, then waits. */
export function startGreeter(t, greeting) {
  return startServer(t, (socket) => {
    socket.resume();
    socket.write(greeting);
  });
}

/** Says what it has to say and ends its side at once. */
export function startSayAndEnd(t, bytes) {
  return startServer(t, (socket) => {
    socket.resume();
    socket.end(bytes);
  });
}

/** Sends `noise` a few bytes at a time and takes as many, as slowly; then the SHA-256 of those, and the end. */
export function startTrickle(t, noise) {
  return startServer(t, (socket) => {
    let sent = 0;
    let heard = 0;
    const hash = createHash('sha256');
    const timer = setInterval(() => {
      for (let i = 0; i < 20 && sent < noise.length; i++) socket.write(noise.subarray(sent, (sent += 97)));
      const bytes = socket.read(2000) ?? (socket.readableEnded ? null : socket.read());
      if (bytes) {
        hash.update(bytes);
        heard += bytes.length;
      }
      if (heard !== noise.length || sent < noise.length) return;
      clearInterval(timer);
      socket.end(hash.digest());
    }, 2);
    socket.on('close', () => clearInterval(timer));
    socket.on('readable', () => {});
  });
}

/** A port of 127.0.0.1 where nothing listens. It was free a moment ago, and the kernel hands ports out in turn. */
export async function refusedPort() {
  const server = net.createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * A port where connecting gets no answer at all: the listener never accepts and its queue is full, so the
 * kernel drops what else knocks. Perl because Node.js cannot listen without accepting.
 */
export async function startNeverAnswers(t) {
  const program = `use Socket; $| = 1; socket(S, PF_INET, SOCK_STREAM, 0) or die; bind(S, sockaddr_in(0, INADDR_LOOPBACK)) or die;
    listen(S, 0) or die; my ($port) = sockaddr_in(getsockname(S)); print "$port\\n"; sleep 600;`;
  const child = start(t, 'perl', ['-e', program]);
  const port = Number(await until('the port of the silent listener', () => /^(\d+)\n/.exec(child.output)?.[1], { last: () => child.output }));
  // Fill the queue until a connection stays unanswered: no fixed count, kernels differ.
  for (let filled = 0; filled < 16; filled++) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    scopeOf(t).add(() => socket.destroy());
    const answered = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise((resolve) => setTimeout(() => resolve(false), 300)),
    ]);
    if (!answered) return { port };
  }
  throw new Error('the silent listener kept answering');
}

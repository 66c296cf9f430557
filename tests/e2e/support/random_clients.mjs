// Targets and clients that do all kinds of things by chance, good and bad, each for as long as it is told to.
import net from 'node:net';
import tls from 'node:tls';
import { randomOf } from './random.mjs';
import { Op, WebSocketClient, closePayload, frame, upgradeRequest } from './websocket.mjs';

const kMostMs = 2500; // a client stays with one connection for no longer

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const noise = randomOf(0, 'noise').bytes(1 << 20);

/** Node.js (18, 20) never closes what is reset while its end is still on the way, and spins at its exit. */
function reset(socket) {
  if (!socket.destroyed && !socket.connecting && !socket.writableEnded) socket.resetAndDestroy();
}

// ---- targets: the first byte says how one behaves

const behaviours = {
  e: (socket) => socket.pipe(socket), // echoes
  r: reset,
  s: (socket) => socket.resume().end(noise.subarray(0, 100_000)), // says all and ends
  n: (socket) => socket.pause(), // never reads again
  h: (socket) => socket.end().resume(), // ends its side, and listens on
  f: (socket) => {
    // floods for as long as it is taken
    socket.resume();
    const pour = () => {
      while (socket.writable && socket.write(noise) === true);
    };
    socket.on('drain', pour);
    pour();
  },
  b: (socket) => {
    // a byte at a time
    socket.on('data', () => {});
    let sent = 0;
    const timer = setInterval(() => (socket.writable ? socket.write(noise.subarray(sent, ++sent)) : clearInterval(timer)), 3);
  },
};

/** A target, by the first byte that it gets. */
export function behave(socket) {
  socket.once('data', (bytes) => {
    socket.pause();
    if (bytes.length > 1) socket.unshift(bytes.subarray(1));
    (behaviours[String.fromCharCode(bytes[0])] ?? behaviours.e)(socket);
  });
  socket.on('end', () => socket.end());
  socket.resume();
}

// ---- clients

/** A connection that lasts until `close`, or kMostMs. */
async function open(random, port) {
  const raw = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const socket = random.chance(0.3) ? tls.connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' }) : raw;
  for (const each of [raw, socket]) each.on('error', () => {});
  const timer = setTimeout(() => raw.destroy(), kMostMs);
  await Promise.race([sleep(kMostMs), new Promise((resolve) => socket.once(socket === raw ? 'connect' : 'secureConnect', resolve).once('close', resolve))]);
  return {
    socket,
    /** Ends in one of the ways there are. */
    async close() {
      if (random.chance(0.4)) {
        socket.end();
        socket.resume();
        await Promise.race([sleep(random.below(300)), new Promise((resolve) => raw.once('close', resolve))]);
      }
      clearTimeout(timer);
      if (random.chance(0.5) && !socket.writableEnded) reset(raw);
      socket.destroy();
      raw.destroy();
    },
  };
}

/** Bytes in one piece or in several. */
async function writeChopped(random, socket, bytes) {
  const pieces = random.chance(0.7) ? 1 : 1 + random.below(5);
  for (let i = 0, at = 0; i < pieces && !socket.destroyed; i++) {
    const end = i === pieces - 1 ? bytes.length : Math.min(bytes.length, at + random.below(bytes.length + 1));
    socket.write(bytes.subarray(at, end));
    at = end;
    if (pieces > 1) await sleep(random.below(5));
  }
}

const violations = {
  unmasked: () => frame(Op.binary, 'x', { masked: false }),
  reserved: () => frame(Op.binary, 'x', { rsv: 4 }),
  opcode: () => frame(5, 'x'),
  split: () => frame(Op.ping, 'x', { fin: false }),
  long: () => frame(Op.ping, Buffer.alloc(126)),
  continued: () => frame(Op.continuation, 'x'),
  endless: () => Buffer.from('82ffffffffffffffffff00000000', 'hex'),
  code: () => frame(Op.close, closePayload(1005)),
  text: () => frame(Op.close, Buffer.from([3, 232, 0xff, 0xfe])),
  noise: (random) => Buffer.concat([Buffer.from([0x70]), random.bytes(64)]),
};

/** What the session gets has to be frames, and from an echo what was sent, in order. */
async function listen(client, sent, echoes, wrong) {
  let received = 0;
  try {
    for (;;) {
      const { opcode, payload } = await client.frame();
      if (opcode === Op.close) return;
      if (opcode > Op.binary || !echoes) continue;
      const expected = Buffer.concat(sent).subarray(received, received + payload.length);
      if (!payload.equals(expected)) wrong.push(`an echo is not what was sent, at ${received} of ${payload.length} bytes`);
      received += payload.length;
    }
  } catch (error) {
    if (/the server (masked|set)/.test(error.message)) wrong.push(error.message);
  }
}

const connections = {
  async session(random, { socket }, port, wrong, early) {
    const behaviour = random.weighted({ e: 8, r: 1, s: 2, n: 1, h: 1, f: 2, b: 1 });
    const client = new WebSocketClient(socket, { timeout: kMostMs });
    const first = frame(Op.binary, behaviour);
    const upgrading = client.upgrade({ port, first: early ? first : undefined, protocols: random.pick([undefined, 'binary']) });
    if (!(await upgrading.then(() => true, () => false))) return;
    if (!early) socket.write(first);
    const sent = [];
    const listening = listen(client, sent, behaviour === 'e', wrong);
    for (let steps = random.below(15); steps > 0 && !socket.destroyed; steps--) {
      const step = random.weighted({ data: 8, fragments: 2, ping: 3, pong: 1, stall: 1, wait: 3, violation: 0.5, cut: 0.3 });
      if (step === 'data' || step === 'fragments') {
        const from = random.below(noise.length >> 1);
        const payload = noise.subarray(from, from + random.size());
        sent.push(payload);
        const half = step === 'fragments' ? random.below(payload.length + 1) : payload.length;
        await writeChopped(random, socket, frame(Op.binary, payload.subarray(0, half), { fin: step === 'data' }));
        if (step === 'fragments') {
          if (random.chance(0.5)) socket.write(frame(Op.ping, 'between'));
          await writeChopped(random, socket, frame(Op.continuation, payload.subarray(half)));
        }
      } else if (step === 'ping' || step === 'pong') {
        socket.write(frame(Op[step], random.bytes(random.below(126))));
      } else if (step === 'stall') {
        socket.pause();
        await sleep(random.below(400));
      } else if (step === 'wait') {
        await sleep(random.below(40));
      } else if (step === 'violation') {
        socket.write(violations[random.pick(Object.keys(violations))](random));
        break;
      } else {
        sent.push(noise.subarray(0, 1000));
        socket.write(frame(Op.binary, noise.subarray(0, 1000)).subarray(0, random.below(1008)));
        return; // in the middle of a frame
      }
    }
    if (random.chance(0.6)) {
      socket.write(frame(Op.close, random.pick([Buffer.alloc(0), closePayload(1000), closePayload(1001, 'leaving'), closePayload(4711)])));
      await Promise.race([listening, sleep(random.below(500))]);
    }
  },
  async page(random, { socket }) {
    socket.resume();
    for (let i = 1 + random.below(3); i > 0; i--) {
      const target = random.pick(['/', '/vnc.html', '/none', '/app.js', '/..%2f', `/?${'x'.repeat(random.below(9000))}`]);
      await writeChopped(random, socket, Buffer.from(`${random.pick(['GET', 'HEAD', 'POST', 'BREW'])} ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
      await sleep(random.below(30));
    }
  },
  async half(random, { socket }) {
    const head = Buffer.from(upgradeRequest({ headers: { 'X-Long': 'y'.repeat(random.below(3000)) } }));
    socket.write(head.subarray(0, random.below(head.length)));
    await sleep(random.chance(0.1) ? 2200 : random.below(100)); // some stay for longer than they may
  },
  async noise(random, { socket }) {
    socket.resume();
    socket.write(Buffer.concat([Buffer.from(random.pick(['', '\x16\x03\x01', 'GET ', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']), 'latin1'), random.bytes(random.below(2000))]));
    await sleep(random.below(50));
  },
  async nothing(random) {
    await sleep(random.below(50));
  },
};

/**
 * One connection after the other to `port`. What cannot be right is added to `wrong`. `early`: a session's first frame
 * goes out behind its request, without waiting for the answer.
 */
export async function randomClient(random, port, goesOn, wrong, { early = true } = {}) {
  while (goesOn()) {
    const kind = random.weighted({ session: 6, page: 2, half: 1, noise: 1, nothing: 1 });
    const connection = await open(random, port);
    await connections[kind](random, connection, port, wrong, early);
    await connection.close();
    await sleep(random.below(60));
  }
}

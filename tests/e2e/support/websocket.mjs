// A WebSocket client that says exactly what a test wants, right or wrong (RFC 6455), over plain TCP or TLS.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { Reader } from './bytes.mjs';
import { scopeOf, within } from './scope.mjs';

export const Op = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A frame as bytes. `masked: false`, `rsv`, `lengthForm` (7, 16 or 64) and `fin` make what no good client sends. */
export function frame(opcode, payload = Buffer.alloc(0), { fin = true, masked = true, rsv = 0, lengthForm, mask } = {}) {
  payload = Buffer.from(payload);
  const form = lengthForm ?? (payload.length < 126 ? 7 : payload.length < 65536 ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  let length = Buffer.alloc(0);
  if (form === 7) {
    head.push(maskBit | payload.length);
  } else if (form === 16) {
    head.push(maskBit | 126);
    length = Buffer.alloc(2);
    length.writeUInt16BE(payload.length);
  } else {
    head.push(maskBit | 127);
    length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.length));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), length, payload]);
  mask ??= randomBytes(4);
  const body = Buffer.from(payload);
  for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
  return Buffer.concat([Buffer.from(head), length, mask, body]);
}

export function closePayload(code, reason = '') {
  const body = Buffer.alloc(2);
  body.writeUInt16BE(code);
  return Buffer.concat([body, Buffer.from(reason)]);
}

/**
 * Connects, by TLS when asked, and gives the socket. Neither side's half is closed by the other's end.
 * `socketPath` is a Unix socket in place of a port; `localAddress` is whom we come as.
 */
export async function connect(t, { port, host = '127.0.0.1', localAddress, socketPath, secure = false, tlsOptions = {} }) {
  const where = socketPath ? { path: socketPath } : { port, host, localAddress };
  const socket = secure
    ? tls.connect({ ...where, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], servername: 'localhost', ...tlsOptions })
    : net.connect({ ...where, allowHalfOpen: true, noDelay: true });
  scopeOf(t).add(() => socket.destroy());
  await within(
    10_000,
    `a connection to ${socketPath ?? `${host}:${port}`}`,
    new Promise((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    }),
  );
  socket.on('error', () => {});
  return socket;
}

/** Status, headers (lower case names; a repeated one as the last) and what came before the blank line. */
export function parseHead(head) {
  const [first, ...lines] = head.toString('latin1').trimEnd().split('\r\n');
  const [, status, reason] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(first) ?? [];
  if (!status) throw new Error(`no HTTP/1.1 status line: ${JSON.stringify(first)}`);
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(status), reason, headers, raw: head.toString('latin1') };
}

export const sampleKey = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The request head of an opening handshake; `headers` replaces or (with null) removes. */
export function upgradeRequest({ path = '/websockify', port = 80, host = '127.0.0.1', protocols, headers = {}, method = 'GET', version = '1.1' } = {}) {
  const all = {
    Host: `${host}:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': sampleKey,
    'Sec-WebSocket-Version': '13',
    ...(protocols === undefined ? {} : { 'Sec-WebSocket-Protocol': protocols }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return `${method} ${path} HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

export function acceptOf(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export class WebSocketClient {
  constructor(socket, { timeout } = {}) {
    this.socket = socket;
    this.reader = new Reader(socket, { timeout });
  }

  /** Connects and upgrades; throws unless the answer is 101. `first` goes in the same segment as the request. */
  static async open(t, { first = Buffer.alloc(0), timeout, ...options }) {
    const client = new WebSocketClient(await connect(t, options), { timeout });
    await client.upgrade({ ...options, first });
    return client;
  }

  async upgrade({ first = Buffer.alloc(0), ...options } = {}) {
    this.socket.write(Buffer.concat([Buffer.from(upgradeRequest(options), 'latin1'), first]));
    this.response = parseHead(await this.reader.readUntil('\r\n\r\n'));
    if (this.response.status !== 101) throw new Error(`no upgrade: ${this.response.raw}`);
    this.protocol = this.response.headers['sec-websocket-protocol'];
  }

  /** Writes bytes as they are; done when the kernel has them all. */
  write(bytes) {
    return new Promise((resolve, reject) => this.socket.write(bytes, (error) => (error ? reject(error) : resolve())));
  }

  send(payload, options) {
    return this.write(frame(Op.binary, payload, options));
  }

  close(code = 1000, reason = '') {
    return this.write(frame(Op.close, closePayload(code, reason)));
  }

  /** The next frame; a server's frames are never masked. */
  async frame() {
    const [first, second] = await this.reader.read(2);
    if (second & 0x80) throw new Error('the server masked a frame');
    if (first & 0x70) throw new Error('the server set a reserved bit');
    let length = second & 0x7f;
    if (length === 126) length = (await this.reader.read(2)).readUInt16BE();
    else if (length === 127) length = Number((await this.reader.read(8)).readBigUInt64BE());
    return { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload: await this.reader.read(length) };
  }

  /** The payload of the next data frame; a Close instead of one throws. */
  async data() {
    const next = await this.frame();
    if (next.opcode === Op.close) throw new Error(`closed instead of data: ${JSON.stringify(parseClose(next.payload))}`);
    if (next.opcode > Op.binary) return this.data();
    return next.payload;
  }

  /** `size` bytes of payload, in however many frames they come. */
  async bytes(size) {
    const parts = [];
    let have = this.left?.length ?? 0;
    if (have > 0) parts.push(this.left);
    while (have < size) {
      const payload = await this.data();
      parts.push(payload);
      have += payload.length;
    }
    const all = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    this.left = all.subarray(size);
    return all.subarray(0, size);
  }

  /** Reads to the server's Close. Gives its code and reason, and the data that came before it. */
  async closed() {
    const parts = this.left?.length > 0 ? [this.left] : [];
    this.left = undefined;
    for (;;) {
      const next = await this.frame();
      if (next.opcode === Op.close) return { ...parseClose(next.payload), data: Buffer.concat(parts) };
      if (next.opcode <= Op.binary) parts.push(next.payload);
    }
  }

  /** Answers the server's Close and waits until it has ended the connection. */
  async finish({ code = 1000 } = {}) {
    await this.close(code).catch(() => {});
    return this.reader.rest({ resetOk: true });
  }
}

export function parseClose(payload) {
  if (payload.length === 0) return { code: 1005, reason: '' };
  return { code: payload.readUInt16BE(), reason: payload.subarray(2).toString('utf8') };
}

// Plain HTTP/1.1 over a socket: the request is sent as written, the answer is read to its declared end.
import { Reader } from './bytes.mjs';
import { scopeOf } from './scope.mjs';
import { connect, parseHead } from './websocket.mjs';

export class HttpClient {
  constructor(socket) {
    this.socket = socket;
    this.reader = new Reader(socket);
  }

  static async open(t, options) {
    return new HttpClient(await connect(t, options));
  }

  /** Sends raw bytes and reads one response. `head: true` says that no body follows. */
  async raw(bytes, { head = false } = {}) {
    this.socket.write(bytes);
    return this.response({ head });
  }

  async response({ head = false } = {}) {
    const answer = parseHead(await this.reader.readUntil('\r\n\r\n'));
    if (head || answer.status === 304 || answer.status === 204 || answer.status === 101) {
      answer.body = Buffer.alloc(0);
    } else if (answer.headers['content-length'] !== undefined) {
      answer.body = await this.reader.read(Number(answer.headers['content-length']));
    } else {
      answer.body = await this.reader.rest({ resetOk: true });
    }
    return answer;
  }

  get(path, headers = {}, method = 'GET') {
    const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.raw(Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), { head: method === 'HEAD' });
  }
}

/** One request on a connection of its own. `path` goes out byte for byte. */
export async function get(t, port, path, headers = {}, { method = 'GET', ...options } = {}) {
  const client = await HttpClient.open(t, { port, ...options });
  try {
    return await client.get(path, headers, method);
  } finally {
    client.socket.destroy();
  }
}

/** Raw bytes on a connection of its own; the connection is closed afterwards. */
export async function raw(t, port, bytes, options = {}) {
  const client = await HttpClient.open(t, { port, ...options });
  scopeOf(t).add(() => client.socket.destroy());
  return client.raw(Buffer.from(bytes, 'latin1'), options);
}

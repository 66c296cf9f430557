// Reading a socket by exact counts. Nothing is taken from the kernel until a test asks for it, so a reader that
// stops asking is a peer that stalls.
import { within } from './scope.mjs';

export class EndOfStream extends Error {}

export class Reader {
  #chunks = [];
  #size = 0;
  #ended = false;
  #error = null;
  #wake = () => {};

  constructor(socket, { timeout = 10_000 } = {}) {
    this.socket = socket;
    this.timeout = timeout;
    this.total = 0;
    socket.pause();
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      this.total += chunk.length;
      if (this.#size >= 1 << 20) socket.pause();
      this.#wake();
    });
    socket.on('end', () => this.#finish(null));
    socket.on('error', (error) => this.#finish(error));
    socket.on('close', () => this.#finish(null));
  }

  #finish(error) {
    this.#ended = true;
    this.#error ??= error;
    this.#wake();
  }

  /** Waits until `size` bytes are there, or the end. Gives whether they are. */
  async #fill(size) {
    while (this.#size < size && !this.#ended) {
      const more = new Promise((resolve) => (this.#wake = resolve));
      this.socket.resume();
      await within(this.timeout, () => `${size} bytes (${this.#size} are there)`, more);
    }
    return this.#size >= size;
  }

  #take(size) {
    const parts = [];
    let missing = size;
    while (missing > 0) {
      const chunk = this.#chunks[0];
      if (chunk.length <= missing) {
        parts.push(this.#chunks.shift());
        missing -= chunk.length;
      } else {
        parts.push(chunk.subarray(0, missing));
        this.#chunks[0] = chunk.subarray(missing);
        missing = 0;
      }
    }
    this.#size -= size;
    return parts.length === 1 ? parts[0] : Buffer.concat(parts, size);
  }

  /** Exactly `size` bytes. Throws EndOfStream (with the socket's error as cause) when fewer come. */
  async read(size) {
    if (size === 0) return Buffer.alloc(0);
    if (!(await this.#fill(size))) {
      throw new EndOfStream(`the peer ended after ${this.#size} of ${size} bytes`, { cause: this.#error ?? undefined });
    }
    return this.#take(size);
  }

  /** Whatever is there next, at least one byte; null at the end. */
  async some() {
    if (!(await this.#fill(1))) return null;
    return this.#take(this.#size);
  }

  /** Everything up to and with `mark`. */
  async readUntil(mark, limit = 1 << 20) {
    for (let size = 1; ; size = this.#size + 1) {
      const enough = await this.#fill(size);
      const all = Buffer.concat(this.#chunks);
      this.#chunks = all.length > 0 ? [all] : [];
      const at = all.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      if (!enough || all.length > limit) {
        throw new EndOfStream(`the peer ended, or said too much, without ${JSON.stringify(mark)}: ${JSON.stringify(all.toString('latin1'))}`, {
          cause: this.#error ?? undefined,
        });
      }
    }
  }

  /** Everything until the peer ends its side. A reset throws unless `resetOk`. */
  async rest({ resetOk = false } = {}) {
    while (!this.#ended) await this.#fill(this.#size + 1);
    if (this.#error && !resetOk) throw this.#error;
    return this.#take(this.#size);
  }
}

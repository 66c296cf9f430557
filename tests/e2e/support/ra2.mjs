// The server's side of RA2ne (security type 6): an RSA key the viewer is to approve, then a password under AES-EAX.
import { constants, createCipheriv, createHash, createPublicKey, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';

const xor = (a, b) => Buffer.from(a.map((byte, i) => byte ^ b[i]));
const sha1 = (...parts) => createHash('sha1').update(Buffer.concat(parts)).digest();
const u16 = (number) => Buffer.from([number >> 8, number & 255]);

function aes(mode, key, iv, data) {
  const cipher = createCipheriv(`aes-128-${mode}`, key, iv).setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** CMAC (RFC 4493) of `data` behind a block that holds `number`, as EAX wants it. */
function cmac(key, number, data) {
  const twice = (block) => {
    const doubled = (BigInt(`0x${block.toString('hex')}`) << 1n) ^ (block[0] & 0x80 ? 0x87n : 0n);
    return Buffer.from(BigInt.asUintN(128, doubled).toString(16).padStart(32, '0'), 'hex');
  };
  const once = twice(aes('ecb', key, null, Buffer.alloc(16)));
  const message = Buffer.concat([Buffer.alloc(15), Buffer.from([number]), data]);
  const whole = message.length % 16 === 0;
  const padded = whole ? message : Buffer.concat([message, Buffer.from([0x80]), Buffer.alloc(15 - (message.length % 16))]);
  padded.set(xor(padded.subarray(-16), whole ? once : twice(once)), padded.length - 16);
  return aes('cbc', key, Buffer.alloc(16), padded).subarray(-16);
}

/** One direction: each message has the next number as its nonce and its length in the clear. */
class Sealed {
  #count = 0;

  constructor(key) {
    this.key = key;
  }

  #nonce() {
    const counter = Buffer.alloc(16);
    counter.writeUInt32LE(this.#count++);
    return cmac(this.key, 0, counter);
  }

  seal(text) {
    const nonce = this.#nonce();
    const hidden = aes('ctr', this.key, nonce, text);
    const tag = xor(xor(nonce, cmac(this.key, 1, u16(text.length))), cmac(this.key, 2, hidden));
    return Buffer.concat([u16(text.length), hidden, tag]);
  }

  async open(reader) {
    const length = (await reader.read(2)).readUInt16BE();
    const hidden = await reader.read(length);
    const nonce = this.#nonce();
    const tag = xor(xor(nonce, cmac(this.key, 1, u16(length))), cmac(this.key, 2, hidden));
    if (!tag.equals(await reader.read(16))) throw new Error('a message of the viewer is forged');
    return aes('ctr', this.key, nonce, hidden);
  }
}

export class Ra2 {
  #pair = generateKeyPairSync('rsa', { modulusLength: 2048 });

  /** Length, modulus and exponent as they go over the wire. */
  get #publicKey() {
    const { n } = this.#pair.publicKey.export({ format: 'jwk' });
    const exponent = Buffer.alloc(256);
    exponent.set([1, 0, 1], 253);
    return Buffer.concat([Buffer.from([0, 0, 8, 0]), Buffer.from(n, 'base64url'), exponent]);
  }

  /** What a person compares: eight bytes of the key's SHA-1. */
  get fingerprint() {
    return [...sha1(this.#publicKey).subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('-');
  }

  /** The whole exchange; gives the password that came. */
  async exchange(reader) {
    const ours = this.#publicKey;
    await reader.write(ours);
    const theirs = await reader.read(4 + 512);
    const n = theirs.subarray(4, 260).toString('base64url');
    const viewer = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } });
    const length = (await reader.read(2)).readUInt16BE();
    const opened = privateDecrypt({ key: this.#pair.privateKey, padding: constants.RSA_NO_PADDING }, await reader.read(length));
    const [fromViewer, fromUs] = [opened.subarray(-16), randomBytes(16)];
    await reader.write(Buffer.concat([u16(256), publicEncrypt({ key: viewer, padding: constants.RSA_PKCS1_PADDING }, fromUs)]));
    const incoming = new Sealed(sha1(fromUs, fromViewer).subarray(0, 16));
    const outgoing = new Sealed(sha1(fromViewer, fromUs).subarray(0, 16));
    await reader.write(outgoing.seal(sha1(ours, theirs)));
    if (!(await incoming.open(reader)).equals(sha1(theirs, ours))) throw new Error('the viewer saw another key');
    await reader.write(outgoing.seal(Buffer.from([2]))); // a password is enough
    const credentials = await incoming.open(reader);
    return String(credentials.subarray(2 + credentials[0]));
  }
}

// As much of an RFB 3.8 client (RFC 6143) as it takes to log in and get one picture.
import { createCipheriv } from 'node:crypto';

/** VNC authentication: the challenge under single DES, whose key is the password with each byte's bits reversed. */
export function vncAuthResponse(password, challenge) {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key, 0, 0, 8);
  for (let i = 0; i < 8; i++) {
    let reversed = 0;
    for (let bit = 0; bit < 8; bit++) if (key[i] & (1 << bit)) reversed |= 0x80 >> bit;
    key[i] = reversed;
  }
  // Triple DES with three times the same key is single DES, which OpenSSL 3 no longer offers by name.
  const cipher = createCipheriv('des-ede3', Buffer.concat([key, key, key]), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

/**
 * Logs in over `channel` (bytes(n) and send(buffer)). Gives what the server said of itself.
 * Throws with the server's reason when it refuses.
 */
export async function handshake(channel, { password } = {}) {
  const version = String(await channel.bytes(12));
  await channel.send('RFB 003.008\n');
  const [count] = await channel.bytes(1);
  const types = [...(await channel.bytes(count))];
  const type = password === undefined ? 1 : 2;
  if (!types.includes(type)) throw new Error(`security type ${type} is not offered: ${types}`);
  await channel.send(Buffer.from([type]));
  if (type === 2) await channel.send(vncAuthResponse(password, await channel.bytes(16)));
  const result = (await channel.bytes(4)).readUInt32BE();
  if (result !== 0) throw new Error(`refused: ${await channel.bytes((await channel.bytes(4)).readUInt32BE())}`);
  await channel.send(Buffer.from([1]));
  const init = await channel.bytes(24);
  const name = String(await channel.bytes(init.readUInt32BE(20)));
  return { version, types, width: init.readUInt16BE(0), height: init.readUInt16BE(2), name };
}

/** Asks for the whole picture as raw 32-bit pixels and gives them as one buffer, 0x00RRGGBB little-endian. */
export async function wholePicture(channel, { width, height }) {
  const format = Buffer.from([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
  const encodings = Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]);
  const ask = Buffer.from([3, 0, 0, 0, 0, 0, width >> 8, width & 255, height >> 8, height & 255]);
  await channel.send(Buffer.concat([format, encodings, ask]));
  const picture = Buffer.alloc(width * height * 4);
  let missing = width * height;
  while (missing > 0) {
    const [type] = await channel.bytes(1);
    if (type === 2) continue;  // bell
    if (type === 3) {
      await channel.bytes((await channel.bytes(7)).readUInt32BE(3));
      continue;
    }
    if (type !== 0) throw new Error(`unexpected server message ${type}`);
    const rectangles = (await channel.bytes(3)).readUInt16BE(1);
    for (let i = 0; i < rectangles; i++) {
      const head = await channel.bytes(12);
      const [x, y, w, h] = [0, 2, 4, 6].map((at) => head.readUInt16BE(at));
      if (head.readInt32BE(8) !== 0) throw new Error(`encoding ${head.readInt32BE(8)} was not asked for`);
      const pixels = await channel.bytes(w * h * 4);
      for (let row = 0; row < h; row++) pixels.copy(picture, ((y + row) * width + x) * 4, row * w * 4, (row + 1) * w * 4);
      missing -= w * h;
    }
  }
  return picture;
}

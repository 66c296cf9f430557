// Draws the page's icon as PNG, for the systems that take no SVG: the shapes of
// src/web/icon.svg by their distance functions, so that no drawing library is needed.

import * as zlib from 'node:zlib';

/** @typedef {[number, number]} Point in the 32 units of icon.svg */

const BLUE = [0x25, 0x63, 0xeb];
const STROKE = 2.2;

/** @type {[Point, Point][]} the lines of the drawing */
const LINES = [
  [[12.5, 25.5], [19.5, 25.5]], [[16, 21], [16, 25.5]], // the foot
  [[12, 12.2], [14.6, 14.5]], [[14.6, 14.5], [12, 16.8]], [[17.2, 16.8], [20.2, 16.8]], // the prompt
];

/**
 * @param {number} size in pixels
 * @param {boolean} [full] the colour fills the square, for systems that cut their own shape
 * @returns {Buffer}
 */
export function iconPng(size, full = size > 192) {
  const rows = [];
  const unit = 32 / size;
  for (let row = 0; row < size; row += 1) {
    const line = Buffer.alloc(1 + size * 4); // filter 0
    for (let column = 0; column < size; column += 1) {
      const point = /** @type {Point} */ ([(column + 0.5) * unit, (row + 0.5) * unit]);
      const inside = full ? 1 : cover(box(point, [16, 16], [16, 16], 7), unit);
      const white = cover(drawing(point), unit);
      const colour = BLUE.map((value) => Math.round(value + (255 - value) * white));
      line.set([...colour, Math.round(255 * inside)], 1 + column * 4);
    }
    rows.push(line);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8); // eight bits, RGBA
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(Buffer.concat(rows), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** @param {Point} point @returns {number} distance to the white of the icon, negative inside */
function drawing(point) {
  const screen = Math.abs(box(point, [16, 14.5], [10, 6.5], 2));
  const lines = LINES.map(([from, to]) => segment(point, from, to));
  return Math.min(screen, ...lines) - STROKE / 2;
}

/** @param {Point} point @param {Point} centre @param {Point} half @param {number} radius */
function box(point, centre, half, radius) {
  const [x, y] = [0, 1].map((axis) => Math.abs(point[axis] - centre[axis]) - half[axis] + radius);
  return Math.hypot(Math.max(x, 0), Math.max(y, 0)) + Math.min(Math.max(x, y), 0) - radius;
}

/** @param {Point} point @param {Point} from @param {Point} to */
function segment([x, y], [ax, ay], [bx, by]) {
  const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2);
  const at = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - at * (bx - ax), y - ay - at * (by - ay));
}

/** @param {number} distance @param {number} unit a pixel's width @returns {number} 0 to 1 */
function cover(distance, unit) {
  return Math.min(1, Math.max(0, 0.5 - distance / unit));
}

/** @param {string} type @param {Buffer} content */
function chunk(type, content) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** @param {Buffer} bytes @returns {number} */
function crc32(bytes) {
  if (zlib.crc32) return zlib.crc32(bytes); // Node 20.15 and newer
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * Measures one connection. The bytes are those of the WebSocket's messages; frames, encoding
 * and round trip are seen by session.js inside the library. What was not seen stays null.
 */

export class Meter {
  /** Bytes from the server. */ received = 0;
  /** Bytes to the server. */ sent = 0;
  /** Pictures painted, null: cannot be seen. @type {number | null} */ frames = null;
  /** Number of the last rectangle's encoding. @type {number | null} */ encoding = null;
  /** Milliseconds of the last measured round trip. @type {number | null} */ roundTrip = null;
  /** When the desktop came, of performance.now(). @type {number | null} */ since = null;

  /**
   * Counts what goes through a socket. Before the library gets it: it copies nothing, but
   * looks for `send` on the socket itself and finds ours.
   * @param {WebSocket} socket
   */
  watch(socket) {
    socket.addEventListener('message', ({ data }) => {
      this.received += data.byteLength ?? data.length ?? 0;
    });
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      this.sent += /** @type {any} */ (data).byteLength ?? 0;
      send(data);
    };
  }
}

/** The encodings the library can paint. @type {Record<number, string>} */
const NAMES = {
  0: 'Raw', 1: 'CopyRect', 2: 'RRE', 5: 'Hextile', 6: 'Zlib', 7: 'Tight', 16: 'ZRLE', 21: 'JPEG', 50: 'H.264',
  [-260]: 'Tight PNG',
};

/** @param {number | null} encoding @returns {string} empty when unknown */
export function encodingName(encoding) {
  return encoding === null ? '' : NAMES[encoding] ?? String(encoding);
}

/** @param {number | null} encoding @returns {boolean} it carries picture, not a message about it */
export function isPicture(encoding) {
  return encoding !== null && encoding in NAMES;
}

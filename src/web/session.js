/**
 * The library's session, with eyes. Its private methods named here are only watched: where a
 * later library lacks one, that value stays unknown and all else works.
 */

import { isPicture } from './meter.js';

/** A round trip that takes longer is not waited for. */
const PING_TIMEOUT_MS = 10_000;

/** Flags of a fence: we ask for an answer, after everything before it is done. */
const FENCE_REQUEST = (1 << 31) | 1;

/**
 * Loads the library when it is first needed: its start awaits a test of the video decoder,
 * and nothing else on the page is to wait for that.
 */
export async function loadSessionClass() {
  const { default: RFB } = await import('@novnc/novnc');
  /** The undocumented parts, typed loosely. @type {any} */
  const Base = RFB;

  return class Session extends Base {
    /** Why the library gave up, in its words, which it tells to its log only. @type {string | undefined} */
    failureDetails;
    /** @type {import('./meter.js').Meter | null} */ meter = null;
    /** Called after each picture. */ onpicture = () => {};
    #fences = 0;
    #pinged = 0;
    #pictureSeen = false;

    /**
     * Measures the round trip once; the result comes to the meter. A fence where the server
     * knows them, else a request for the one pixel in the corner.
     */
    ping() {
      const now = performance.now();
      if (this.#pinged && now - this.#pinged < PING_TIMEOUT_MS) return;
      try {
        this.#pinged = now;
        if (this._supportsFence) {
          this.#fences += 1;
          Base.messages.clientFence(this._sock, FENCE_REQUEST, 'ping');
        } else {
          Base.messages.fbUpdateRequest(this._sock, false, 0, 0, 1, 1);
        }
      } catch {
        this.#pinged = 0; // another library: unknown
      }
    }

    /** @param {string} details */
    _fail(details) {
      this.failureDetails ??= String(details);
      return super._fail(details);
    }

    /**
     * Pinching calls this without the locks' states, which the library then takes for "off"
     * and presses the lock keys of a server where they are known.
     * @param {number} keysym @param {string} code @param {boolean} down
     * @param {boolean | null} [numlock] @param {boolean | null} [capslock] null: unknown
     */
    _handleKeyEvent(keysym, code, down, numlock = null, capslock = null) {
      super._handleKeyEvent(keysym, code, down, numlock, capslock);
    }

    _framebufferUpdate() {
      const done = super._framebufferUpdate();
      if (done && this.#pictureSeen) {
        this.#pictureSeen = false;
        if (this.meter) this.meter.frames = (this.meter.frames ?? 0) + 1;
        this.onpicture();
      }
      return done;
    }

    _handleRect() {
      const { encoding, x, y, width, height } = this._FBU ?? {};
      const done = super._handleRect();
      if (done && isPicture(encoding)) {
        // Some servers answer with the whole word of pixels.
        const corner = x === 0 && y === 0 && height === 1 && width <= 16;
        if (corner && this.#pinged && this.#fences === 0) {
          this.#answered();
        } else {
          this.#pictureSeen = true;
          if (this.meter) this.meter.encoding = encoding;
        }
      }
      return done;
    }

    _handleServerFenceMsg() {
      if (this.#fences > 0) {
        if (this._sock.rQwait('fence', 8, 1)) return false;
        const head = this._sock.rQpeekBytes(8);
        if ((head[3] & 0x80) === 0) {
          if (this._sock.rQwait('fence', 8 + head[7], 1)) return false;
          this._sock.rQskipBytes(8 + head[7]);
          this.#fences -= 1;
          if (this.#fences === 0) this.#answered();
          return true;
        }
      }
      return super._handleServerFenceMsg();
    }

    #answered() {
      if (this.meter && this.#pinged) this.meter.roundTrip = performance.now() - this.#pinged;
      this.#pinged = 0;
    }
  };
}

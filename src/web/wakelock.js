/** Keeps the device's screen on while a desktop is shown, if the user wants that. */

export class WakeLock {
  #wanted = false;
  /** @type {any} */ #lock = null;

  constructor() {
    // The browser takes it away from pages that cannot be seen.
    document.addEventListener('visibilitychange', () => void this.#update());
  }

  /** @returns {boolean} */
  static get supported() {
    return 'wakeLock' in navigator;
  }

  /** @param {boolean} wanted */
  set(wanted) {
    this.#wanted = wanted;
    void this.#update();
  }

  async #update() {
    if (!WakeLock.supported) return;
    try {
      if (!this.#wanted) {
        await this.#lock?.release();
        this.#lock = null;
      } else if (document.visibilityState === 'visible' && (!this.#lock || this.#lock.released)) {
        this.#lock = await navigator.wakeLock.request('screen');
        if (!this.#wanted) await this.#update();
      }
    } catch {
      // Refused: battery low, or not allowed in this frame.
    }
  }
}

/**
 * Connecting again by itself. The first attempt comes after the delay the settings ask for.
 * While attempts fail the delay doubles, up to a minute, and it always varies: a proxy coming
 * back is not to be met by all its viewers in the same instant.
 */

const GROWTH = 2;
const LONGEST_MS = 60_000;
const SPREAD = 0.25;

export class Retry {
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #actions;

  #waiting = false;

  /**
   * @param {{tick: (seconds: number) => void, now: () => void}} actions `tick` shows the
   *     seconds left, `now` connects
   */
  constructor(actions) {
    this.#actions = actions;
  }

  /** @param {number} delay milliseconds before the first attempt */
  schedule(delay) {
    this.cancel();
    const grown = Math.min(delay * GROWTH ** this.#failures, Math.max(delay, LONGEST_MS));
    this.#failures += 1;
    this.#waiting = true;
    this.#count(performance.now() + grown * (1 + SPREAD * Math.random()));
  }

  /** The reason to wait is gone: the network is back. */
  hurry() {
    if (this.#waiting) this.#now();
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#waiting = false;
  }

  succeeded() {
    this.#failures = 0;
  }

  /** @param {number} due */
  #count(due) {
    const left = due - performance.now();
    if (left <= 0) return this.#now();
    this.#actions.tick(Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#count(due), left % 1000 || 1000);
  }

  #now() {
    this.cancel();
    this.#actions.now();
  }
}

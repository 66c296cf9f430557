/**
 * Connecting again by itself. The first attempt comes after the delay the link asks for.
 * While attempts fail the delay grows, up to a minute, and varies a little: a proxy coming
 * back is not to be met by all its viewers in the same instant.
 */

const GROWTH = 1.5;
const LONGEST_MS = 60_000;
const SPREAD = 0.1;

export class Retry {
  #delay;
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #actions;

  /**
   * @param {number} delay milliseconds
   * @param {{tick: (seconds: number) => void, now: () => void}} actions `tick` shows the
   *     seconds left, `now` connects
   */
  constructor(delay, actions) {
    this.#delay = delay;
    this.#actions = actions;
  }

  schedule() {
    this.cancel();
    const grown = Math.min(this.#delay * GROWTH ** this.#failures, Math.max(this.#delay, LONGEST_MS));
    const spread = this.#failures === 0 ? 0 : grown * SPREAD * Math.random();
    this.#failures += 1;
    this.#count(performance.now() + grown + spread);
  }

  cancel() {
    clearTimeout(this.#timer);
  }

  succeeded() {
    this.#failures = 0;
  }

  /** @param {number} due */
  #count(due) {
    const left = due - performance.now();
    if (left <= 0) return this.#actions.now();
    this.#actions.tick(Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#count(due), left % 1000 || 1000);
  }
}

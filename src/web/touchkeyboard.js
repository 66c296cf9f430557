/**
 * The device's on-screen keyboard. Such keyboards edit text (words completed, letters
 * replaced) rather than press keys, so a hidden field is edited and the difference is sent.
 */

import { byId, isTouch } from './dom.js';
import { keysymOf } from './library.js';

/** Always before the caret, so that Backspace has something to remove. */
const FILLING = '\u00a0'.repeat(64);
const LONGEST = 512;

/** Keys that on-screen keyboards do report as keys. @type {Record<string, number>} */
const NAMED = {
  Enter: 0xff0d, Tab: 0xff09, Escape: 0xff1b,
  ArrowLeft: 0xff51, ArrowUp: 0xff52, ArrowRight: 0xff53, ArrowDown: 0xff54,
};
const BACKSPACE = 0xff08;
const ENTER = 0xff0d;

export class TouchKeyboard {
  /** @type {any} */ #session = null;
  #last = FILLING;

  constructor() {
    const field = byId('touch-input');
    // Pressing a button is not to close the keyboard; going to another field is.
    document.addEventListener('mousedown', (event) => {
      const wanted = event.target instanceof Element && event.target.closest('input, textarea, select');
      if (this.active && !wanted) event.preventDefault();
    }, { capture: true });
    byId('keyboard').addEventListener('click', () => {
      if (document.activeElement === field) field.blur();
      else this.#show();
    });
    field.addEventListener('focus', () => this.#shown(true));
    field.addEventListener('blur', () => this.#shown(false));
    field.addEventListener('input', () => this.#typed());
    field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      const keysym = event.isComposing ? undefined : NAMED[event.key];
      if (keysym === undefined) return;
      event.preventDefault();
      this.#session?.sendKey(keysym, event.code);
    });
  }

  /** @param {any} session the library's, or null when there is none (or it only watches) */
  attach(session) {
    this.#session = session;
    byId('keyboard').hidden = session === null || !isTouch();
    byId('touch-input').hidden = byId('keyboard').hidden;
  }

  /** @returns {boolean} it is in use, and would close if the focus went elsewhere */
  get active() {
    return document.activeElement === byId('touch-input');
  }

  #show() {
    this.#reset();
    byId('touch-input').focus();
  }

  /** @param {boolean} shown */
  #shown(shown) {
    byId('keyboard').setAttribute('aria-pressed', String(shown));
    // A tap on the desktop is not to close the keyboard.
    if (this.#session) this.#session.focusOnClick = !shown;
  }

  #reset() {
    const field = byId('touch-input');
    field.value = FILLING;
    this.#last = FILLING;
    field.setSelectionRange(FILLING.length, FILLING.length);
  }

  #typed() {
    const now = byId('touch-input').value;
    const { removed, added } = difference(this.#last, now);
    for (let count = 0; count < removed; count += 1) this.#session?.sendKey(BACKSPACE, 'Backspace');
    for (const character of added) {
      if (character === '\n') this.#session?.sendKey(ENTER, 'Enter');
      else this.#session?.sendKey(keysymOf(character), '');
    }
    this.#last = now;
    if (now.length > LONGEST || now.length < FILLING.length / 2) this.#reset();
  }
}

/**
 * What to type after `before` to get `now`.
 * @param {string} before
 * @param {string} now
 * @returns {{removed: number, added: string}} characters to remove from the end, text to add
 */
export function difference(before, now) {
  const old = Array.from(before);
  const next = Array.from(now);
  let same = 0;
  while (same < old.length && same < next.length && old[same] === next[same]) same += 1;
  return { removed: old.length - same, added: next.slice(same).join('') };
}

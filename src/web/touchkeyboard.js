/**
 * Typing by way of a text field: for the on-screen keyboard of a touch device, and for the input
 * method of one with real keys, which the desktop's canvas does not have. Such keyboards edit
 * text (words completed, letters replaced) rather than press keys, so the field is edited and
 * the difference is sent.
 */

import { byId, isTouch } from './dom.js';
import { keysymOf } from './library.js';
import { text } from './messages.js';

/** Always before the caret on touch, so that Backspace has something to remove. */
const FILLING = '\u00a0'.repeat(64);
const LONGEST = 512;

const BACKSPACE = 0xff08;
const ENTER = 0xff0d;

/** Keys that come as keys, not as text. @type {Record<string, number>} */
const NAMED = {
  Enter: ENTER, Tab: 0xff09, Escape: 0xff1b, Delete: 0xffff, Insert: 0xff63, Home: 0xff50, End: 0xff57, PageUp: 0xff55, PageDown: 0xff56,
  ArrowLeft: 0xff51, ArrowUp: 0xff52, ArrowRight: 0xff53, ArrowDown: 0xff54,
};
for (let number = 1; number <= 12; number += 1) NAMED[`F${number}`] = 0xffbd + number;

/** @type {[flag: 'ctrlKey' | 'altKey' | 'shiftKey' | 'metaKey', keysym: number, code: string][]} */
const MODIFIERS = [
  ['ctrlKey', 0xffe3, 'ControlLeft'], ['altKey', 0xffe9, 'AltLeft'], ['shiftKey', 0xffe1, 'ShiftLeft'], ['metaKey', 0xffeb, 'MetaLeft'],
];

/** Languages that are written by an input method, not key by key. */
const COMPOSED = /^(ja|ko|vi|zh)\b/i;

export class TouchKeyboard {
  /** @type {any} */ #session = null;
  /** Real keys: what is being composed is shown here and sent when it is done. */
  #method = !window.matchMedia('(pointer: coarse)').matches && (navigator.languages ?? []).some((tag) => COMPOSED.test(tag));
  #filling = this.#method ? '' : FILLING;
  #last = this.#filling;

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
    field.addEventListener('input', (/** @type {InputEvent} */ event) => {
      if (!(this.#method && event.isComposing)) this.#typed();
    });
    field.addEventListener('compositionend', () => this.#typed());
    field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
    if (this.#method) this.#name(field);
  }

  /** @param {any} session the library's, or null when there is none (or it only watches) */
  attach(session) {
    this.#session = session;
    byId('keyboard').hidden = session === null || !(isTouch() || this.#method);
    byId('touch-input').hidden = byId('keyboard').hidden;
  }

  /** @returns {boolean} it is in use, and would close if the focus went elsewhere */
  get active() {
    return document.activeElement === byId('touch-input');
  }

  /** @param {HTMLElement} field it is in sight, and no on-screen keyboard */
  #name(field) {
    field.classList.add('method');
    field.dataset.name = 'toolbar.keyboard.ime';
    byId('keyboard').dataset.hint = 'toolbar.keyboard.ime';
    field.setAttribute('aria-label', text('toolbar.keyboard.ime'));
    byId('keyboard').title = text('toolbar.keyboard.ime');
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
    field.value = this.#filling;
    this.#last = this.#filling;
    field.setSelectionRange(this.#filling.length, this.#filling.length);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing || event.key === 'Process') return;
    const chord = event.ctrlKey || event.metaKey || (event.altKey && /^[ -~]$/.test(event.key));
    let keysym = event.key === 'Backspace' && this.#method ? BACKSPACE : NAMED[event.key];
    if (chord && !event.getModifierState('AltGraph') && Array.from(event.key).length === 1) keysym ??= keysymOf(event.key);
    if (keysym === undefined) return;
    event.preventDefault();
    const held = MODIFIERS.filter(([flag]) => event[flag]);
    for (const [, number, code] of held) this.#session?.sendKey(number, code, true);
    this.#session?.sendKey(keysym, event.code);
    for (const [, number, code] of held.reverse()) this.#session?.sendKey(number, code, false);
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
    if (this.#method || now.length > LONGEST || now.length < FILLING.length / 2) this.#reset();
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

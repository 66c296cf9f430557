/** Keys that the browser or its system keeps for itself, or that a device does not have. */

import { byId, make } from './dom.js';
import { text } from './messages.js';

/** Key names of a button, with the numbers X has for them and the codes of real keyboards. */
/** @type {Record<string, [keysym: number, code: string]>} */
const KEYS = {
  Ctrl: [0xffe3, 'ControlLeft'],
  Alt: [0xffe9, 'AltLeft'],
  Shift: [0xffe1, 'ShiftLeft'],
  Windows: [0xffeb, 'MetaLeft'],
  Tab: [0xff09, 'Tab'],
  Esc: [0xff1b, 'Escape'],
  Del: [0xffff, 'Delete'],
  PrtScr: [0xff61, 'PrintScreen'],
  Space: [0x20, 'Space'],
};
for (let number = 1; number <= 12; number += 1) KEYS[`F${number}`] = [0xffbd + number, `F${number}`];

/** Ctrl+Alt+Del has its place in the page already. */
const COMBINATIONS = ['Tab', 'Esc', 'Alt+Tab', 'Alt+F4', 'Ctrl+Esc', 'PrtScr', 'Ctrl+Shift+Esc', 'Alt+PrtScr'];
/** More letters than fit into a key of the usual width. */
const WIDE = 9;
const HELD = /** @type {const} */ (['Ctrl', 'Alt', 'Shift', 'Windows']);

export class Keys {
  /** @type {any} */ #session = null;
  /** @type {Set<string>} */ #held = new Set();

  /** @param {{say: (words: string) => void, backToDesktop: () => void}} page */
  constructor(page) {
    for (const key of HELD) {
      byId(`hold-${key.toLowerCase()}`).addEventListener('click', () => {
        this.#hold(key, !this.#held.has(key));
        page.backToDesktop();
      });
    }
    const send = (/** @type {string} */ combination) => {
      this.#send(combination.split('+'));
      page.say(text('status.sent', { keys: combination }));
      page.backToDesktop();
    };
    byId('send-ctrl-alt-del').addEventListener('click', () => send('Ctrl+Alt+Del'));
    const consoles = Array.from({ length: 12 }, (_, index) => `Ctrl+Alt+F${index + 1}`);
    /** @param {string} id @param {string} combination @param {string} shown */
    const add = (id, combination, shown) => {
      const attributes = { type: 'button', 'data-keys': combination, 'aria-label': combination };
      const button = make('button', attributes, shown);
      button.classList.toggle('wide', shown.length > WIDE);
      button.addEventListener('click', () => send(combination));
      byId(id).append(button);
    };
    for (const combination of COMBINATIONS) add('key-buttons', combination, combination);
    // Their heading says Ctrl+Alt.
    for (const combination of consoles) add('console-buttons', combination, combination.slice('Ctrl+Alt+'.length));
  }

  /** @param {any} session the library's, or null when there is none (or it only watches) */
  attach(session) {
    if (session === null) for (const key of [...this.#held]) this.#hold(key, false);
    this.#session = session;
    byId('keys-toggle').hidden = session === null;
  }

  /** @param {string} key @param {boolean} down */
  #hold(key, down) {
    this.#session?.sendKey(...KEYS[key], down);
    if (down) this.#held.add(key);
    else this.#held.delete(key);
    byId(`hold-${key.toLowerCase()}`).setAttribute('aria-pressed', String(down));
    byId('keys-toggle').classList.toggle('news', this.#held.size > 0);
  }

  /** Presses all in order, releases them in reverse. @param {string[]} names */
  #send(names) {
    const mine = names.filter((name) => !this.#held.has(name));
    for (const name of mine) this.#session?.sendKey(...KEYS[name], true);
    for (const name of mine.reverse()) this.#session?.sendKey(...KEYS[name], false);
  }
}

/**
 * The panels that the toolbar's buttons open, one at a time. A panel is `#NAME-panel` with
 * `#NAME-close`, its button `#NAME-toggle`.
 */

import { byId } from './dom.js';

/** @typedef {'view' | 'keys' | 'clipboard' | 'power' | 'info' | 'settings'} Panel */

/** @type {Panel[]} */
const PANELS = ['view', 'keys', 'clipboard', 'power', 'info', 'settings'];

export class Panels {
  /** @type {Panel | null} */ #open = null;
  /** What had the focus before. @type {HTMLElement | null} */ #before = null;
  /** @type {((open: Panel | null) => void)[]} */ #listeners = [];
  /** @type {() => void} */ #backToDesktop;

  /** @param {() => void} backToDesktop gives the keyboard to the desktop */
  constructor(backToDesktop) {
    this.#backToDesktop = backToDesktop;
    for (const name of PANELS) {
      byId(`${name}-toggle`).addEventListener('click', () => this.toggle(name));
      byId(`${name}-close`).addEventListener('click', () => this.close());
      byId(`${name}-panel`).addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        this.close();
      });
    }
    for (const button of document.querySelectorAll('.open-settings')) {
      button.addEventListener('click', () => this.toggle('settings'));
    }
  }

  /** @param {(open: Panel | null) => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** @returns {Panel | null} */
  get open() {
    return this.#open;
  }

  /** @param {Panel} name */
  toggle(name) {
    if (this.#open === name) return this.close();
    const before = this.#open ? this.#before : document.activeElement;
    this.close(false);
    this.#open = name;
    this.#before = /** @type {HTMLElement} */ (before);
    byId(`${name}-panel`).hidden = false;
    byId(`${name}-toggle`).setAttribute('aria-expanded', 'true');
    document.documentElement.dataset.panel = name;
    this.#changed();
    // The focus elsewhere would close the on-screen keyboard, which goes with the held keys.
    if (name === 'keys' && before === byId('touch-input')) return;
    // The first thing one came for; the heading's close button is the last resort.
    const wanted = 'textarea, .segments button, .keys button, .buttons button, input, select';
    const first = byId(`${name}-panel`).querySelector(wanted) ?? byId(`${name}-close`);
    first.focus({ preventScroll: true });
  }

  /** @param {boolean} [refocus] give the focus back to where it was */
  close(refocus = true) {
    const name = this.#open;
    if (name === null) return;
    const inside = byId(`${name}-panel`).contains(document.activeElement);
    this.#open = null;
    byId(`${name}-panel`).hidden = true;
    byId(`${name}-toggle`).setAttribute('aria-expanded', 'false');
    delete document.documentElement.dataset.panel;
    this.#changed();
    if (!refocus || !inside) return;
    const before = this.#before;
    // By keyboard one goes on where one was; by mouse or touch one wants the desktop.
    if (before?.isConnected && before.offsetParent !== null && before !== document.body) before.focus();
    else this.#backToDesktop();
  }

  #changed() {
    for (const listener of this.#listeners) listener(this.#open);
  }
}

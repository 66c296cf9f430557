/**
 * The bar at an edge of a connected desktop: a handle that opens it and drags it along and
 * to other edges, and its buttons. It closes by itself when it is not used.
 */

import { byId } from './dom.js';

/** @typedef {import('./settings.js').Side} Side */

/**
 * @typedef {object} Actions
 * @property {() => void} disconnect
 * @property {() => void} backToDesktop gives the keyboard to the desktop
 * @property {(side: Side) => void} moved the user dragged the bar to this edge
 */

/** An open bar that is not used closes after this long. */
const IDLE_MS = 5000;
/** Less is a click that trembled. */
const DRAG_FROM_PX = 8;

export class Toolbar {
  #actions;
  #panels;
  #shown = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #idle;

  /** @param {Actions} actions @param {import('./panels.js').Panels} panels */
  constructor(actions, panels) {
    this.#actions = actions;
    this.#panels = panels;
    this.#makeDraggable(byId('toolbar-toggle'));
    byId('disconnect').addEventListener('click', () => {
      // Only here: a connection that comes back by itself finds the window as it was.
      if (document.fullscreenElement) void document.exitFullscreen();
      actions.disconnect();
    });
    byId('fullscreen').hidden = !document.fullscreenEnabled;
    byId('fullscreen').addEventListener('click', () => void this.#toggleFullscreen());
    document.addEventListener('fullscreenchange', () => {
      byId('fullscreen').setAttribute('aria-pressed', String(document.fullscreenElement !== null));
    });
    byId('screen').addEventListener('pointerdown', () => this.open(false));
    byId('toolbar').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
    for (const event of ['pointerenter', 'pointerleave', 'focusin', 'click']) {
      byId('toolbar').addEventListener(event, () => this.#stayAwhile());
    }
    panels.onChange(() => this.#stayAwhile());
    this.#watchShortcut();
  }

  /** @param {boolean} shown there is a desktop */
  show(shown) {
    this.#shown = shown;
    byId('toolbar').hidden = !shown;
    if (!shown) this.open(false, false);
  }

  /** @param {Side} side */
  setSide(side) {
    byId('toolbar').dataset.side = side;
    document.documentElement.dataset.side = side; // the panels open beside it
    const vertical = side === 'left' || side === 'right';
    byId('toolbar-panel').setAttribute('aria-orientation', vertical ? 'vertical' : 'horizontal');
  }

  /** @param {string} name */
  setName(name) {
    byId('desktop-name').textContent = name;
    byId('desktop-name').title = name;
  }

  /** @param {boolean} news something is in the clipboard panel that was not seen */
  setClipboardNews(news) {
    const shown = news && this.#panels.open !== 'clipboard';
    for (const id of ['clipboard-toggle', 'toolbar-toggle']) byId(id).classList.toggle('news', shown);
  }

  /** @param {boolean} open @param {boolean} [focus] give the keyboard back to the desktop */
  open(open, focus = true) {
    if (!open) this.#panels.close(false);
    const had = byId('toolbar').contains(document.activeElement);
    byId('toolbar-panel').hidden = !open;
    byId('toolbar-toggle').setAttribute('aria-expanded', String(open));
    this.#stayAwhile();
    if (!open && focus && had) this.#actions.backToDesktop();
  }

  get #isOpen() {
    return !byId('toolbar-panel').hidden;
  }

  /** Starts the time again after which an unused bar closes. */
  #stayAwhile() {
    clearTimeout(this.#idle);
    if (!this.#isOpen) return;
    this.#idle = setTimeout(() => {
      const bar = byId('toolbar');
      const used = this.#panels.open !== null || bar.matches(':hover') || bar.querySelector(':focus-visible');
      if (used) this.#stayAwhile();
      else this.open(false);
    }, IDLE_MS);
  }

  async #toggleFullscreen() {
    try {
      if (document.fullscreenElement) {
        await document.exitFullscreen();
      } else {
        await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
        // Where it exists (Chromium), Esc and Alt+Tab then reach the desktop as well.
        await /** @type {any} */ (navigator).keyboard?.lock?.();
      }
    } catch {
      // Refused by the browser or its owner: nothing to do about it here.
    }
    this.open(false);
    this.#actions.backToDesktop();
  }

  /**
   * A press that moves drags the bar: along its edge, or to the edge the pointer comes near.
   * @param {HTMLElement} handle
   */
  #makeDraggable(handle) {
    /** @type {{x: number, y: number} | null} */
    let from = null;
    let dragged = false;
    handle.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY };
      dragged = false;
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener('pointermove', (event) => {
      if (!from) return;
      dragged ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > DRAG_FROM_PX;
      if (dragged) this.#dragTo(event.clientX / window.innerWidth, event.clientY / window.innerHeight);
    });
    for (const end of ['pointerup', 'pointercancel']) {
      handle.addEventListener(end, () => {
        if (from && dragged) this.#actions.moved(/** @type {Side} */ (byId('toolbar').dataset.side));
        from = null;
      });
    }
    handle.addEventListener('click', (event) => {
      // The click that ends a drag; one by keyboard has no pointer and is always meant.
      if (dragged && event.detail > 0) dragged = false;
      else this.open(!this.#isOpen);
    });
  }

  /** @param {number} x @param {number} y from 0 to 1 across the window */
  #dragTo(x, y) {
    /** @type {[Side, number][]} */
    const distances = [['left', x], ['right', 1 - x], ['top', y], ['bottom', 1 - y]];
    const [side, distance] = distances.reduce((best, each) => (each[1] < best[1] ? each : best));
    if (distance < 0.15) this.setSide(side);
    const vertical = ['left', 'right'].includes(byId('toolbar').dataset.side);
    const along = Math.min(0.92, Math.max(0.08, vertical ? y : x));
    byId('toolbar').style.setProperty('--along', `${(along * 100).toFixed(1)}%`);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === 'Escape') return this.open(false);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const panel = byId('toolbar-panel');
    if (!step || !panel.contains(document.activeElement)) return;
    event.preventDefault();
    const buttons = Array.from(panel.querySelectorAll('button')).filter((button) => !button.hidden);
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    buttons[(at + step + buttons.length) % buttons.length].focus();
  }

  /**
   * The desktop takes every key, Tab included, so leaving it by keyboard needs a chord of its
   * own: Ctrl+Alt+Shift, pressed and released with nothing else. Acting on the last release
   * leaves no modifier held on the remote side.
   */
  #watchShortcut() {
    const modifiers = ['Control', 'Alt', 'Shift', 'Meta'];
    let armed = false;
    document.addEventListener('keydown', (event) => {
      if (!modifiers.includes(event.key)) armed = false;
      else if (event.ctrlKey && event.altKey && event.shiftKey) armed = true;
    }, { capture: true });
    document.addEventListener('keyup', (event) => {
      if (!armed || event.ctrlKey || event.altKey || event.shiftKey) return;
      armed = false;
      if (!this.#shown) return;
      // After the library has seen this key go up.
      setTimeout(() => {
        this.open(true);
        byId('toolbar-panel').querySelector('button:not([hidden])').focus();
      });
    }, { capture: true });
  }
}

/**
 * The bar at the top edge of a connected desktop: a small handle, and the controls it opens.
 */

/** @typedef {import('./settings.js').ResizeMode} ResizeMode */

/**
 * @typedef {object} Actions
 * @property {(mode: ResizeMode) => void} resize the user chose how the desktop fits the window
 * @property {() => void} disconnect
 */

/** @type {ResizeMode[]} */
const MODES = ['scale', 'off', 'remote'];

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

export class Toolbar {
  /** @type {any} */ #session = null;

  /** @param {Actions} actions */
  constructor(actions) {
    byId('toolbar-toggle').addEventListener('click', () => this.#open(byId('toolbar-panel').hidden));
    for (const mode of MODES) {
      byId(`resize-${mode}`).addEventListener('click', () => {
        this.setResize(mode);
        actions.resize(mode);
        this.#backToDesktop();
      });
    }
    byId('pan').addEventListener('click', () => {
      if (this.#session) this.setPanning(!this.#session.dragViewport);
      this.#backToDesktop();
    });
    byId('send-ctrl-alt-del').addEventListener('click', () => {
      this.#session?.sendCtrlAltDel();
      this.#backToDesktop();
    });
    byId('fullscreen').hidden = !document.fullscreenEnabled;
    byId('fullscreen').addEventListener('click', () => void this.#toggleFullscreen());
    document.addEventListener('fullscreenchange', () => {
      byId('fullscreen').setAttribute('aria-pressed', String(document.fullscreenElement !== null));
    });
    byId('disconnect').addEventListener('click', () => {
      // Only here: a connection that comes back by itself finds the window as it was.
      if (document.fullscreenElement) void document.exitFullscreen();
      actions.disconnect();
    });
    byId('clipboard-toggle').addEventListener('click', () => this.#openClipboard(byId('clipboard-panel').hidden));
    byId('clipboard-close').addEventListener('click', () => this.#openClipboard(false));
    byId('screen').addEventListener('pointerdown', () => this.#open(false));
    for (const id of ['toolbar', 'clipboard-panel']) {
      byId(id).addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#onKey(event));
    }
    this.#watchShortcut();
  }

  /**
   * @param {any} session the library's, or null: no bar
   * @param {boolean} viewOnly
   */
  attach(session, viewOnly) {
    this.#session = session;
    byId('toolbar').hidden = session === null;
    for (const id of ['clipboard-toggle', 'send-ctrl-alt-del', 'resize-remote']) byId(id).hidden = viewOnly;
    if (session !== null) return;
    this.#open(false, false);
    this.setClipping(false);
    this.setClipboardNews(false);
  }

  /** @param {string} name */
  setName(name) {
    byId('desktop-name').textContent = name;
    byId('desktop-name').title = name;
  }

  /** @param {ResizeMode} mode */
  setResize(mode) {
    for (const each of MODES) byId(`resize-${each}`).setAttribute('aria-pressed', String(each === mode));
  }

  /** @param {boolean} clipping the desktop is larger than its window and must be moved about */
  setClipping(clipping) {
    byId('pan').hidden = !clipping;
    if (!clipping) this.setPanning(false);
  }

  /** @param {boolean} panning dragging moves the view, not the remote pointer */
  setPanning(panning) {
    if (this.#session) this.#session.dragViewport = panning;
    byId('pan').setAttribute('aria-pressed', String(panning));
  }

  /** @param {boolean} news something is in the clipboard panel that was not seen */
  setClipboardNews(news) {
    const shown = news && byId('clipboard-panel').hidden;
    for (const id of ['clipboard-toggle', 'toolbar-toggle']) byId(id).classList.toggle('news', shown);
  }

  /** @param {boolean} open @param {boolean} [focus] give the keyboard back to the desktop */
  #open(open, focus = true) {
    if (!open) this.#openClipboard(false, false);
    byId('toolbar-panel').hidden = !open;
    byId('toolbar-toggle').setAttribute('aria-expanded', String(open));
    if (!open && focus && byId('toolbar').contains(document.activeElement)) this.#backToDesktop();
  }

  /** @param {boolean} open @param {boolean} [focus] */
  #openClipboard(open, focus = true) {
    byId('clipboard-panel').hidden = !open;
    byId('clipboard-toggle').setAttribute('aria-expanded', String(open));
    if (open) {
      this.setClipboardNews(false);
      byId('clipboard-text').focus();
    } else if (focus) {
      this.#backToDesktop();
    }
  }

  #backToDesktop() {
    this.#session?.focus({ preventScroll: true });
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
    this.#open(false);
    this.#backToDesktop();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === 'Escape') {
      const inClipboard = !byId('clipboard-panel').hidden;
      if (inClipboard) this.#openClipboard(false);
      else this.#open(false);
      return;
    }
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const panel = byId('toolbar-panel');
    if (!step || !panel.contains(document.activeElement)) return;
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
      if (this.#session === null) return;
      // After the library has seen this key go up.
      setTimeout(() => {
        this.#open(true);
        byId('toolbar-panel').querySelector('button:not([hidden])').focus();
      });
    }, { capture: true });
  }
}

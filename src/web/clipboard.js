/**
 * Text between the two clipboards: by the panel everywhere, and by itself where the browser
 * lets a page use the clipboard (HTTPS or localhost, and permission given).
 */

import { byId } from './dom.js';
import { text as message } from './messages.js';
import { copyText } from './view.js';

/** Typing in the panel is sent when it pauses. */
const TYPING_PAUSE_MS = 300;

export class Clipboard {
  /** @type {any} */ #session = null;
  /** What both sides have, as far as we know; guards against echoes. @type {string | null} */ #shared = null;
  /** What this device's clipboard held when last seen. @type {string | null} */ #local = null;
  /** Remote text the browser did not let us write yet. @type {string | null} */ #unwritten = null;
  /** The browser's question was not refused. */ #mayAsk = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #typing;
  /** @type {() => void} */ #received;

  /** @param {() => void} received the remote side has copied something and only the panel shows it */
  constructor(received) {
    this.#received = received;
    const area = byId('clipboard-text');
    area.addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#send(area.value), TYPING_PAUSE_MS);
    });
    area.addEventListener('change', () => this.#send(area.value));
    byId('clipboard-copy').addEventListener('click', () => void this.#copy());
    byId('clipboard-clear').addEventListener('click', () => {
      area.value = '';
      this.#send('');
      area.focus();
    });
    window.addEventListener('focus', () => void this.#read());
    byId('screen').addEventListener('focusin', () => void this.#read());
    // A write may need a fresh gesture of the user; these are the next ones.
    for (const gesture of ['pointerup', 'keyup']) {
      document.addEventListener(gesture, () => void this.#writePending(), { capture: true });
    }
  }

  /** @param {any} session the library's, or null when there is none (or it only watches) */
  attach(session) {
    clearTimeout(this.#typing);
    this.#session = session;
    this.#shared = null;
    this.#local = null;
    this.#unwritten = null;
    if (session === null) byId('clipboard-text').value = '';
    byId('clipboard-toggle').hidden = session === null;
  }

  /** @param {string} text copied on the remote side */
  async receive(text) {
    this.#shared = text;
    byId('clipboard-text').value = text;
    this.#unwritten = text;
    await this.#writePending();
    if (this.#unwritten !== null) this.#received();
  }

  /** @param {string} text */
  #send(text) {
    clearTimeout(this.#typing);
    if (this.#session === null || text === this.#shared) return;
    this.#shared = text;
    this.#unwritten = null;
    this.#session.clipboardPasteFrom(text);
  }

  /** Takes over what was copied on this device since we last looked. */
  async #read() {
    if (this.#session === null || this.#unwritten !== null || !document.hasFocus()) return;
    const permission = await readPermission();
    if (permission === 'denied' || (permission === 'prompt' && !this.#mayAsk)) return;
    try {
      const text = await navigator.clipboard.readText();
      if (text === '' || text === this.#local) return;
      this.#local = text;
      if (text === this.#shared) return;
      byId('clipboard-text').value = text;
      this.#send(text);
    } catch {
      this.#mayAsk = false; // the user said no; the panel remains
    }
  }

  async #writePending() {
    const text = this.#unwritten;
    if (text === null || !navigator.clipboard?.writeText) return;
    try {
      await navigator.clipboard.writeText(text);
      this.#local = text;
      if (this.#unwritten === text) this.#unwritten = null;
    } catch {
      // No focus, no fresh gesture or no permission: the next gesture tries again.
    }
  }

  /** The button works without permissions, and without HTTPS by way of the selection. */
  async #copy() {
    const button = byId('clipboard-copy');
    if (!(await copyText(byId('clipboard-text').value))) return;
    this.#unwritten = null;
    button.textContent = message('clipboard.copied');
    setTimeout(() => {
      button.textContent = message('clipboard.copy');
    }, 1500);
  }
}

/**
 * What reading the clipboard would meet. Browsers that do not know the permission (Firefox,
 * Safari) would show a Paste button on every focus: as good as denied.
 * @returns {Promise<PermissionState>}
 */
async function readPermission() {
  if (!navigator.clipboard?.readText) return 'denied';
  try {
    const name = /** @type {PermissionName} */ ('clipboard-read');
    return (await navigator.permissions.query({ name })).state;
  } catch {
    return 'denied';
  }
}

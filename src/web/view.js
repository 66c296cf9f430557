/**
 * How the desktop is shown in the window: fitted, pixel by pixel, or resized; clipped and
 * moved about where it is larger. Also what can be taken from it: a picture, a link.
 */

import { shareableLink } from './address.js';
import { byId } from './dom.js';
import { text } from './messages.js';

/** @typedef {import('./settings.js').ResizeMode} ResizeMode */

/** @type {ResizeMode[]} */
const MODES = ['scale', 'off', 'remote'];

export class View {
  /** @type {any} */ #session = null;
  #store;

  /**
   * @param {import('./settings.js').SettingsStore} store
   * @param {{say: (words: string) => void, backToDesktop: () => void, desktop: () => string}} page
   */
  constructor(store, page) {
    this.#store = store;
    for (const mode of MODES) {
      byId(`resize-${mode}`).addEventListener('click', () => store.change('resize', mode));
    }
    byId('view-clip').addEventListener('change', () => store.change('view_clip', String(byId('view-clip').checked)));
    byId('pan').addEventListener('click', () => {
      if (this.#session) this.#session.dragViewport = !this.#session.dragViewport;
      this.showPan();
      page.backToDesktop();
    });
    byId('screenshot').addEventListener('click', () => this.#screenshot(page));
    byId('copy-link').addEventListener('click', () => void copyLink(page));
    store.onChange((name) => {
      if (['resize', 'view_clip', 'view_only'].includes(name)) this.apply(this.#session);
    });
  }

  /** @param {any} session the library's, or null */
  attach(session) {
    this.#session = session;
    this.apply(session);
  }

  /** Brings a session and the controls to what the settings say. @param {any} session or null */
  apply(session) {
    const { resize, view_clip: clip, view_only: viewOnly } = this.#store.values;
    const scaling = resize === 'scale';
    const clipping = !scaling && (clip || hasOverlayScrollbars());
    if (session) {
      session.scaleViewport = scaling;
      session.clipViewport = clipping;
      session.resizeSession = resize === 'remote';
    }
    for (const mode of MODES) {
      const button = byId(`resize-${mode}`);
      button.setAttribute('aria-pressed', String(mode === resize));
      button.disabled = this.#store.fixed.has('resize') || (mode === 'remote' && viewOnly);
    }
    byId('view-clip').checked = clipping;
    byId('view-clip').disabled = scaling || hasOverlayScrollbars() || this.#store.fixed.has('view_clip');
    this.showPan();
  }

  /** The button for moving the view is there when there is something to move. */
  showPan() {
    const session = this.#session;
    const possible = Boolean(session?.clipViewport && session.clippingViewport);
    if (!possible && session?.dragViewport) session.dragViewport = false;
    byId('pan').hidden = !possible;
    byId('pan').setAttribute('aria-pressed', String(Boolean(session?.dragViewport)));
  }

  /** @param {{say: (words: string) => void, desktop: () => string}} page */
  #screenshot(page) {
    this.#session?.toBlob((/** @type {Blob | null} */ blob) => {
      if (!blob) return;
      const link = document.createElement('a');
      const time = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');
      link.download = `${page.desktop().replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 60)}-${time}.png`;
      link.href = URL.createObjectURL(blob);
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      page.say(text('status.saved'));
    }, 'image/png');
  }
}

/** @param {{say: (words: string) => void}} page */
async function copyLink(page) {
  const done = await copyText(shareableLink(window.location));
  page.say(text(done ? 'status.linkCopied' : 'status.copyFailed'));
}

/**
 * To this device's clipboard; without HTTPS by way of a selection.
 * @param {string} words
 * @returns {Promise<boolean>}
 */
export async function copyText(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = document.createElement('textarea');
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    area.value = words;
    area.className = 'offscreen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    before?.focus();
    return done;
  }
}

/** @type {boolean | null} */
let overlay = null;

/**
 * Scroll bars that take no room are hard to hit with a finger and hide the desktop: the view
 * is then clipped and moved instead, as in the noVNC page.
 * @returns {boolean}
 */
function hasOverlayScrollbars() {
  if (overlay === null) {
    const box = document.createElement('div');
    box.className = 'scroll-probe';
    document.body.append(box);
    overlay = box.offsetWidth === box.clientWidth && /Android|iPhone|iPad|Mac OS|CrOS/.test(navigator.userAgent);
    box.remove();
  }
  return overlay;
}

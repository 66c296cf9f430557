/** The power panel: shut down, reboot or reset the remote machine, where the server can (xvp). */

import { byId } from './dom.js';
import { text } from './messages.js';

/** The second press must come this soon after the first. */
const SURE_MS = 5000;

/** @type {Record<string, string>} */
const METHODS = { shutdown: 'machineShutdown', reboot: 'machineReboot', reset: 'machineReset' };

export class Power {
  /** @type {any} */ #session = null;
  /** Pressed once. @type {string | null} */ #armed = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {import('./panels.js').Panels} panels */
  constructor(panels) {
    for (const [action, method] of Object.entries(METHODS)) {
      byId(`power-${action}`).addEventListener('click', () => {
        if (this.#armed !== action) return this.#arm(action);
        this.#arm(null);
        this.#session?.[method]();
        panels.close();
      });
    }
    panels.onChange(() => this.#arm(null));
  }

  /** @param {any} session the library's, or null when there is none (or it only watches) */
  attach(session) {
    this.#session = session;
    byId('power-toggle').hidden = !session?.capabilities?.power;
  }

  /** Asks before it acts: no undo. @param {string | null} action */
  #arm(action) {
    clearTimeout(this.#timer);
    this.#armed = action;
    const question = action && text('power.sure', { action: text(`power.${action}`) });
    byId('power-note').textContent = question ?? text('power.text');
    for (const each of Object.keys(METHODS)) byId(`power-${each}`).classList.toggle('danger', each === action);
    if (action) this.#timer = setTimeout(() => this.#arm(null), SURE_MS);
  }
}

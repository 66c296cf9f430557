/** The settings panel: a control for each setting that is not better placed elsewhere. */

import { byId, make } from './dom.js';
import { languages, text } from './messages.js';
import { WakeLock } from './wakelock.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {keyof Settings} Name */

/**
 * @typedef {object} Row
 * @property {Name} name
 * @property {'check' | 'range' | 'number' | 'text' | 'choice'} kind
 * @property {() => [value: string, shown: string][]} [choices]
 * @property {number} [max]
 * @property {boolean} [early] takes effect with the next connection only
 */

/** @param {...string} words */
const same = (...words) => () => words.map((word) => /** @type {[string, string]} */ ([word, word]));

/** @type {Row[]} */
const GENERAL = [
  { name: 'quality', kind: 'range', max: 9 },
  { name: 'compression', kind: 'range', max: 9 },
  { name: 'view_only', kind: 'check' },
  { name: 'show_dot', kind: 'check' },
  { name: 'bell', kind: 'check' },
  { name: 'keep_device_awake', kind: 'check' },
  { name: 'reconnect', kind: 'check' },
  { name: 'reconnect_delay', kind: 'number', max: 86_400_000 },
  {
    name: 'controlbar_pos', kind: 'choice',
    choices: () => ['left', 'right', 'top', 'bottom'].map((side) => [side, text(`settings.${side}`)]),
  },
  { name: 'lang', kind: 'choice', choices: () => [['', text('settings.auto')], ...languages()] },
];

/** @type {Row[]} */
const CONNECTION = [
  { name: 'shared', kind: 'check', early: true },
  { name: 'path', kind: 'text', early: true },
  { name: 'host', kind: 'text', early: true },
  { name: 'port', kind: 'number', max: 65535, early: true },
  { name: 'encrypt', kind: 'check', early: true },
  { name: 'repeaterID', kind: 'text', early: true },
  { name: 'logging', kind: 'choice', choices: same('error', 'warn', 'info', 'debug') },
];

export class SettingsPanel {
  #store;
  #connected = false;

  /**
   * @param {import('./settings.js').SettingsStore} store
   * @param {string} version of the library
   */
  constructor(store, version) {
    this.#store = store;
    this.#build();
    byId('version').textContent = text('settings.version', { version });
    store.onChange((name) => {
      if (name === 'lang') {
        this.#build();
        byId('version').textContent = text('settings.version', { version });
      }
      // Changed elsewhere: the bar was dragged to another edge.
      if (name === 'controlbar_pos') byId('setting-controlbar_pos').value = store.values.controlbar_pos;
    });
  }

  /** @param {boolean} connected what the next connection is made of cannot be changed now */
  setConnected(connected) {
    this.#connected = connected;
    byId('settings-later').hidden = !connected;
    for (const row of [...GENERAL, ...CONNECTION]) this.#lock(row);
  }

  #build() {
    const focused = document.activeElement?.id;
    byId('settings-general').replaceChildren(...GENERAL.filter(isPossible).map((row) => this.#row(row)));
    byId('settings-connection').replaceChildren(...CONNECTION.map((row) => this.#row(row)));
    this.setConnected(this.#connected);
    if (focused?.startsWith('setting-')) byId(focused)?.focus();
  }

  /** @param {Row} row @returns {HTMLElement} */
  #row(row) {
    const id = `setting-${row.name}`;
    const value = this.#store.values[row.name];
    const label = make('span', {}, text(`settings.${row.name}`));
    if (row.kind === 'check') {
      const box = make('input', { type: 'checkbox', id });
      box.checked = row.name === 'bell' ? value === 'on' : Boolean(value);
      box.addEventListener('change', () => this.#store.change(row.name, valueOf(row, box.checked)));
      return make('label', { class: 'check' }, box, label);
    }
    if (row.kind === 'choice') {
      const options = (row.choices?.() ?? []).map(([each, shown]) => make('option', { value: each }, shown));
      const select = make('select', { id }, ...options);
      select.value = String(value);
      if (select.selectedIndex < 0) select.selectedIndex = 0; // a language we do not have
      select.addEventListener('change', () => this.#store.change(row.name, select.value));
      return make('label', { class: 'field' }, label, select);
    }
    const input = make('input', { type: row.kind, id, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
    if (row.max) Object.assign(input, { min: '0', max: String(row.max), step: '1' });
    input.value = this.#store.shown(row.name);
    input.addEventListener('change', () => {
      this.#store.change(row.name, input.value.trim());
      input.value = this.#store.shown(row.name);
    });
    if (row.kind !== 'range') return make('label', { class: 'field' }, label, input);
    const shown = make('output', { for: id }, String(value));
    input.addEventListener('input', () => {
      shown.textContent = input.value;
    });
    return make('label', { class: 'field range' }, label, shown, input);
  }

  /** @param {Row} row */
  #lock(row) {
    const control = byId(`setting-${row.name}`);
    if (!control) return;
    const fixed = this.#store.fixed.has(row.name);
    control.disabled = fixed || Boolean(row.early && this.#connected);
    control.title = fixed ? text('settings.fixed') : '';
  }
}

/** @param {Row} row */
function isPossible(row) {
  return row.name !== 'keep_device_awake' || WakeLock.supported;
}

/** @param {Row} row @param {boolean} checked @returns {string} as it stands in a link */
function valueOf(row, checked) {
  if (row.name === 'bell') return checked ? 'on' : 'off';
  return String(checked);
}

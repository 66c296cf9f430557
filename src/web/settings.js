/**
 * What the viewer is told to do. Names, meanings and defaults are those of the noVNC page,
 * so that existing links and portals keep working. Who wins, the first that says something:
 *
 *   mandatory.json (which also locks the control), the link's fragment (it never reaches a
 *   server's log), the link's query, what the user chose here before, defaults.json, TABLE.
 */

import { parseParameters, pathWithSecrets, publicPath } from './address.js';

/** @typedef {'off' | 'scale' | 'remote'} ResizeMode */
/** @typedef {'left' | 'right' | 'top' | 'bottom'} Side */

/**
 * @typedef {object} Settings
 * @property {boolean} autoconnect connect on load
 * @property {string} path where the WebSocket is, relative to the page; may carry a query, with secrets in it
 * @property {string} host another host than the page's; then `path` is below its root
 * @property {number} port only with `host`; 0 is the scheme's own
 * @property {boolean} encrypt only with `host`
 * @property {string} password empty when the link has none
 * @property {string} username empty when the link has none
 * @property {string} token where the proxy is to connect to; goes into the query of `path`
 * @property {ResizeMode} resize
 * @property {boolean} view_only
 * @property {boolean} view_clip
 * @property {boolean} reconnect
 * @property {number} reconnect_delay milliseconds
 * @property {boolean} shared
 * @property {number} quality 0 to 9
 * @property {number} compression 0 to 9
 * @property {boolean} show_dot a dot for the pointer when the server hides it
 * @property {string} bell `on`, anything else mutes
 * @property {boolean} keep_device_awake
 * @property {string} repeaterID
 * @property {'error' | 'warn' | 'info' | 'debug'} logging
 * @property {Side} controlbar_pos
 * @property {string} lang a language's tag; empty: as the browser says
 */

/** Never stored; the link loses them as soon as they are read (see address.js). */
const NEVER_STORED = new Set(['password', 'username', 'token', 'autoconnect']);

const STORAGE_PREFIX = 'wsproxy.';

/** @type {(value: string) => boolean} */
const flag = (value) => !['0', 'no', 'false'].includes(value.toLowerCase());

/** @type {(value: string) => string} */
const string = (value) => value;

/** @param {number} low @param {number} high */
const integer = (low, high) => (/** @type {string} */ value) => {
  const number = /^\s*\d+\s*$/.test(value) ? Number(value) : NaN;
  return number >= low && number <= high ? number : undefined;
};

/** @param {...string} words */
const oneOf = (...words) => (/** @type {string} */ value) => (words.includes(value) ? value : undefined);

/**
 * How each setting is read (undefined: not a valid value, as if it were not given) and what
 * it is when nobody says.
 * @type {Record<string, [(value: string) => unknown, unknown]>}
 */
const TABLE = {
  autoconnect: [(value) => value === 'true' || value === '1', undefined], // see the constructor
  path: [string, 'websockify'],
  host: [string, ''],
  port: [integer(0, 65535), 0],
  encrypt: [flag, undefined], // the page's own scheme, see the constructor
  password: [string, ''],
  username: [string, ''],
  token: [string, ''],
  resize: [oneOf('off', 'scale', 'remote'), 'off'],
  view_only: [flag, false],
  view_clip: [flag, false],
  reconnect: [flag, false],
  reconnect_delay: [integer(0, 86_400_000), 5000],
  shared: [flag, true],
  quality: [integer(0, 9), 6],
  compression: [integer(0, 9), 2],
  show_dot: [flag, false],
  bell: [string, 'on'],
  keep_device_awake: [flag, false],
  repeaterID: [string, ''],
  logging: [oneOf('error', 'warn', 'info', 'debug'), 'warn'],
  controlbar_pos: [oneOf('left', 'right', 'top', 'bottom'), 'left'],
  lang: [string, ''],
};

/** @typedef {Record<string, unknown>} Given a JSON file of the administrator's */

export class SettingsStore {
  /** The values in force. @type {Settings} */ values;
  /** Names that mandatory.json decides. @type {Set<string>} */ fixed = new Set();
  #storage;
  /** @type {((name: string) => void)[]} */ #listeners = [];

  /**
   * @param {Pick<Location, 'search' | 'hash' | 'protocol' | 'pathname'>} location as it was
   *     before the secrets were taken out
   * @param {Pick<Storage, 'getItem' | 'setItem'> | null} storage
   * @param {{defaults?: Given, mandatory?: Given}} [files]
   */
  constructor(location, storage, { defaults = {}, mandatory = {} } = {}) {
    this.#storage = storage;
    const fragment = parseParameters(location.hash);
    const query = parseParameters(location.search);
    /** @type {Record<string, unknown>} */
    const values = {};
    for (const [name, [read, standard]] of Object.entries(TABLE)) {
      const layers = [fromFile(mandatory, name), fragment.get(name), query.get(name),
        this.#stored(name), fromFile(defaults, name)];
      const read1 = (/** @type {string | undefined} */ value) => (value === undefined ? undefined : read(value));
      const [decided, ...rest] = layers.map(read1);
      if (decided !== undefined) this.fixed.add(name);
      values[name] = decided ?? rest.find((value) => value !== undefined) ?? standard;
    }
    values.encrypt ??= location.protocol === 'https:';
    // The address that wsproxy prints is the folder's: who opens it wants the desktop. Links to
    // vnc.html are noVNC's, where nothing happens without a click unless the link says so.
    values.autoconnect ??= location.pathname.endsWith('/');
    this.values = /** @type {Settings} */ (values);
  }

  /** @param {(name: string) => void} listener called after each change */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /**
   * The user chose something in the page; it is remembered in this browser.
   * @param {keyof Settings} name
   * @param {string} value as it stands in a link; one that is not valid changes nothing
   */
  change(name, value) {
    const read = TABLE[name][0](value);
    if (read === undefined || this.fixed.has(name)) return;
    const isPath = name === 'path';
    Object.assign(this.values, { [name]: isPath ? pathWithSecrets(value, this.values.path) : read });
    if (!NEVER_STORED.has(name)) {
      try {
        this.#storage?.setItem(STORAGE_PREFIX + name, isPath ? publicPath(value) : value);
      } catch {
        // Full, or forbidden by the browser: the choice then lasts as long as the page.
      }
    }
    for (const listener of this.#listeners) listener(name);
  }

  /** @param {keyof Settings} name @returns {string} its value as anybody may see it */
  shown(name) {
    return name === 'path' ? publicPath(this.values.path) : String(this.values[name]);
  }

  /** @param {string} name @returns {string | undefined} */
  #stored(name) {
    if (NEVER_STORED.has(name)) return undefined;
    try {
      return this.#storage?.getItem(STORAGE_PREFIX + name) ?? undefined;
    } catch {
      return undefined;
    }
  }
}

/** @returns {Storage | null} null where the browser forbids it */
export function openStorage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** @param {Given} file @param {string} name @returns {string | undefined} as it would stand in a link */
function fromFile(file, name) {
  const value = Object.hasOwn(file, name) ? file[name] : undefined;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}

/** The page is not to wait longer for the administrator's files. */
const PATIENCE_MS = 2000;

/**
 * The administrator's settings, from beside the page. What is missing, broken or slow counts
 * as empty: a desktop without them is better than none.
 * @param {typeof fetch} [get]
 * @returns {Promise<{defaults: Given, mandatory: Given}>}
 */
export async function fetchFiles(get = fetch) {
  /** @param {string} name @returns {Promise<Given>} */
  const one = async (name) => {
    try {
      const response = await get(`./${name}`, { cache: 'no-cache', signal: AbortSignal.timeout(PATIENCE_MS) });
      const content = response.ok ? await response.json() : {};
      return content !== null && typeof content === 'object' ? content : {};
    } catch {
      return {};
    }
  };
  const [defaults, mandatory] = await Promise.all([one('defaults.json'), one('mandatory.json')]);
  return { defaults, mandatory };
}

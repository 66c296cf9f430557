/**
 * What the link asks for. Names, meanings and defaults are those of the noVNC page, so
 * that existing links and portals keep working. The fragment wins over the query (it never
 * reaches a server's log), that over what the user chose here before, that over the default.
 */

/** @typedef {'off' | 'scale' | 'remote'} ResizeMode */

/**
 * @typedef {object} Settings
 * @property {boolean} autoconnect connect on load
 * @property {string} path where the WebSocket is, relative to the page; may carry a query
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
 * @property {string} repeaterID
 * @property {'error' | 'warn' | 'info' | 'debug'} logging
 */

/** Removed from the address bar as soon as they are read, and never stored. */
const SECRETS = new Set(['password', 'token']);

/** The settings a user can change in the page, and so the only ones stored. */
const STORED = new Set(['resize']);

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
  autoconnect: [(value) => value === 'true' || value === '1', undefined], // see readSettings
  path: [string, 'websockify'],
  host: [string, ''],
  port: [integer(0, 65535), 0],
  encrypt: [flag, undefined], // the page's own scheme, see readSettings
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
  repeaterID: [string, ''],
  logging: [oneOf('error', 'warn', 'info', 'debug'), 'warn'],
};

/**
 * Splits `a=1&b=2`. Not URLSearchParams: that reads `+` as a blank, and passwords contain it.
 * @param {string} part with or without its leading `?` or `#`
 * @returns {Map<string, string>} the last of equal names wins
 */
export function parseParameters(part) {
  const found = new Map();
  for (const piece of part.replace(/^[?#]/, '').split('&')) {
    if (piece === '') continue;
    const cut = piece.indexOf('=');
    const name = cut < 0 ? piece : piece.slice(0, cut);
    found.set(decode(name), cut < 0 ? '' : decode(piece.slice(cut + 1)));
  }
  return found;
}

/**
 * The same part without the secrets in it; every other byte stays as it was.
 * @param {string} part with its leading `?` or `#`, or empty
 * @returns {string}
 */
export function withoutSecrets(part) {
  if (part === '') return '';
  const kept = part
    .slice(1)
    .split('&')
    .filter((piece) => !SECRETS.has(decode(piece.split('=', 1)[0])));
  const rest = kept.join('&');
  return rest === '' ? '' : part[0] + rest;
}

/**
 * @param {Pick<Location, 'search' | 'hash' | 'protocol'>} location
 * @param {Pick<Storage, 'getItem'> | null} storage
 * @returns {Settings}
 */
export function readSettings(location, storage) {
  const layers = [parseParameters(location.hash), parseParameters(location.search)];
  /** @type {Record<string, unknown>} */
  const settings = {};
  for (const [name, [read, standard]] of Object.entries(TABLE)) {
    const given = layers.map((layer) => layer.get(name));
    if (STORED.has(name)) given.push(storage?.getItem(STORAGE_PREFIX + name) ?? undefined);
    settings[name] = given.map((value) => (value === undefined ? value : read(value)))
      .find((value) => value !== undefined) ?? standard;
  }
  settings.encrypt ??= location.protocol === 'https:';
  // The address that wsproxy prints is the folder's: who opens it wants the desktop. Links to
  // vnc.html are noVNC's, where nothing happens without a click unless the link says so.
  settings.autoconnect ??= location.pathname.endsWith('/');
  return /** @type {Settings} */ (settings);
}

/**
 * Takes the secrets out of the address bar and this entry of the history.
 * @param {Location} location
 * @param {History} history
 */
export function hideSecrets(location, history) {
  const search = withoutSecrets(location.search);
  const hash = withoutSecrets(location.hash);
  if (search === location.search && hash === location.hash) return;
  history.replaceState(history.state, '', location.pathname + search + hash);
}

/**
 * Remembers what the user chose in the page.
 * @param {Pick<Storage, 'setItem'> | null} storage
 * @param {keyof Settings} name
 * @param {string} value
 */
export function storeSetting(storage, name, value) {
  if (!STORED.has(name)) throw new Error(`${name} is not to be stored`);
  try {
    storage?.setItem(STORAGE_PREFIX + name, value);
  } catch {
    // Full, or forbidden by the browser: the choice then lasts as long as the page.
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

/**
 * The address of the WebSocket. Without `host` it is `path` relative to the page, whatever
 * prefix a reverse proxy has put before it, over TLS exactly if the page is.
 * @param {Settings} settings
 * @param {string} page the page's address
 * @returns {URL}
 * @throws {TypeError} when `path` or `host` make no address
 */
export function channelUrl(settings, page) {
  let url;
  if (settings.host) {
    const root = new URL(`https://${settings.host}/`);
    url = new URL(`./${settings.path.replace(/^\/+/, '')}`, root);
    url.protocol = settings.encrypt ? 'wss:' : 'ws:';
    if (settings.port) url.port = String(settings.port);
  } else {
    url = new URL(settings.path, page);
    url.protocol = page.startsWith('https:') ? 'wss:' : 'ws:';
  }
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(url.protocol);
  url.hash = '';
  if (settings.token && !parseParameters(url.search).has('token')) {
    url.search += `${url.search === '' ? '?' : '&'}token=${encodeURIComponent(settings.token)}`;
  }
  return url;
}

/** @param {string} value @returns {string} as it is when its percent signs are not an encoding */
function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * Addresses: the parameters in the page's, hiding its secrets, the WebSocket's, and a link
 * to hand on.
 */

/** @typedef {import('./settings.js').Settings} Settings */

/**
 * Names that say "secret", of parameters of the page and of those inside `path`: what belongs
 * to them leaves the address bar as soon as it is read, and is never stored.
 */
const SECRET = /token|passw|pwd|secret|ticket|jwt|credential|api[-_]?key|auth/i;

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
 * The same part without the secrets in it; every other byte stays as it was, but a `path` that
 * had one is encoded anew.
 * @param {string} part with its leading `?` or `#`, or empty
 * @returns {string}
 */
export function withoutSecrets(part) {
  return keepPieces(part, (piece) => {
    const name = nameOf(piece);
    if (SECRET.test(name)) return null;
    if (name !== 'path') return piece;
    const path = decode(piece.slice(piece.indexOf('=') + 1));
    const shown = publicPath(path);
    return shown === path ? piece : `path=${encodeURIComponent(shown)}`;
  });
}

/**
 * A `path` as it may be shown and stored: without the secrets in its query.
 * @param {string} path
 * @returns {string}
 */
export function publicPath(path) {
  return splitPath(path, (piece) => !SECRET.test(nameOf(piece)));
}

/**
 * What the user typed as `path`, with the secrets of the one before unless it has its own: they
 * are not shown, so nobody took them away.
 * @param {string} typed
 * @param {string} before
 * @returns {string}
 */
export function pathWithSecrets(typed, before) {
  if (publicPath(typed) !== typed) return typed;
  const secrets = splitPath(before, (piece) => SECRET.test(nameOf(piece))).replace(/^[^?#]*[?#]?/, '');
  if (secrets === '') return typed;
  return typed + (typed.includes('?') ? '&' : '?') + secrets;
}

/** @param {URL} channel @returns {boolean} whether a WebSocket's address has a secret to show */
export function hasSecret(channel) {
  return withoutSecrets(channel.search) !== channel.search;
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
 * A link to what the page shows, for somebody else: without secrets, and without the user name.
 * @param {Pick<Location, 'origin' | 'pathname' | 'search' | 'hash'>} location
 * @returns {string}
 */
export function shareableLink(location) {
  /** @param {string} part */
  const clean = (part) => keepPieces(withoutSecrets(part), (piece) => (nameOf(piece) === 'username' ? null : piece));
  return location.origin + location.pathname + clean(location.search) + clean(location.hash);
}

/**
 * The address of the WebSocket. Without `host` it is `path` relative to the page, whatever
 * prefix a reverse proxy has put before it, over TLS exactly if the page is.
 * @param {Pick<Settings, 'path' | 'host' | 'port' | 'encrypt' | 'token'>} settings
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

/**
 * @param {string} part with its leading `?` or `#`, or empty
 * @param {(piece: string) => string | null} keep what becomes of one `name=value`; null: nothing
 */
function keepPieces(part, keep) {
  if (part === '') return '';
  const rest = part.slice(1).split('&').map(keep).filter((piece) => piece !== null).join('&');
  return rest === '' ? '' : part[0] + rest;
}

/**
 * @param {string} path
 * @param {(piece: string) => boolean} keep of the pieces of its query (or fragment, which nobody is sent)
 */
function splitPath(path, keep) {
  const cut = path.search(/[?#]/);
  if (cut < 0) return path;
  return path.slice(0, cut) + keepPieces(path.slice(cut), (piece) => (keep(piece) ? piece : null));
}

/** @param {string} piece @returns {string} */
function nameOf(piece) {
  return decode(piece.split('=', 1)[0]);
}

/** @param {string} value @returns {string} as it is when its percent signs are not an encoding */
function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/**
 * Addresses: the parameters in the page's, hiding its secrets, the WebSocket's, and a link
 * to hand on.
 */

/** @typedef {import('./settings.js').Settings} Settings */

/** Removed from the address bar as soon as they are read. */
const SECRETS = new Set(['password', 'token']);

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
  return keepPieces(part, (piece) => (SECRETS.has(nameOf(piece)) ? null : piece));
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
 * A link to what the page shows, for somebody else: without password, user name and token,
 * the one inside `path` included.
 * @param {Pick<Location, 'origin' | 'pathname' | 'search' | 'hash'>} location
 * @returns {string}
 */
export function shareableLink(location) {
  /** @param {string} piece */
  const clean = (piece) => {
    const name = nameOf(piece);
    if (SECRETS.has(name) || name === 'username') return null;
    if (name !== 'path') return piece;
    const [path, query = ''] = decode(piece.slice(piece.indexOf('=') + 1)).split('?', 2);
    return `path=${encodeURIComponent(path + withoutSecrets(query && `?${query}`))}`;
  };
  return location.origin + location.pathname + keepPieces(location.search, clean) + keepPieces(location.hash, clean);
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

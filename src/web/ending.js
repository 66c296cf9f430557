/**
 * Why a connection ended, in words. The library only says "disconnected" (and calls every
 * close by the other side clean), so the facts are collected around it: see connection.js.
 */

import { text } from './messages.js';

/**
 * @typedef {object} Facts
 * @property {'user' | 'cancelled' | 'identity' | null} by the user's part in it
 * @property {string} host the proxy's host and port
 * @property {boolean} secret the WebSocket's address had a token or the like
 * @property {number | null} probe the proxy's HTTP status for the same address, where asked
 * @property {boolean} opened the WebSocket did open
 * @property {boolean} connected the desktop was shown
 * @property {{code: number, reason: string} | null} close the close frame; null while we closed first
 * @property {{status: number, reason: string} | null} security the server refused the sign-in
 * @property {string[]} credentials what the server asked for, or else what was given beforehand
 * @property {string} failure what the library says it failed on
 * @property {'address' | 'blocked' | 'browser' | 'insecure' | null} start why this page cannot do it at all
 */

/**
 * @typedef {object} Ending
 * @property {string} kind a word for the table of messages; tests look at it
 * @property {'calm' | 'problem'} tone
 * @property {string} title
 * @property {string} what happened
 * @property {string} reason in the words of the proxy or the server, or empty
 * @property {string} advice what to do next, or empty
 * @property {boolean} retry whether trying again by itself makes sense
 * @property {boolean} forget the password is not to be used again
 */

/** Ends that are nobody's fault. */
const CALM = new Set(['user', 'cancelled', 'server', 'shutdown', 'admin']);

/** Ends after which another attempt would do the same, or harm. */
const FINAL = new Set(['user', 'cancelled', 'identity', 'password', 'signin', 'tooMany', 'types', 'insecure',
  'browser', 'address', 'blocked', 'notAllowed', 'refusedByProxy', 'admin']);

/** Ends that a token could have avoided; the page forgets it when it is reloaded. */
const WANTS_SECRET = new Set(['notAllowed', 'refusedByProxy']);

/** The proxy may take this long to say that it is there. */
const PROBE_TIMEOUT_MS = 3000;

/**
 * Asks the proxy by plain HTTP whether it is there, after a WebSocket that never opened.
 * Without the query: a token must not be used up by asking.
 * @param {URL} channel the WebSocket's address
 * @param {string} origin the page's; others cannot be asked (the page's policy)
 * @returns {Promise<number | null>} the HTTP status, null: no answer
 */
export async function probeProxy(channel, origin) {
  const url = new URL(channel.pathname, channel.href.replace(/^ws/, 'http'));
  if (url.origin !== origin) return null;
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    return (await fetch(url, { method: 'HEAD', cache: 'no-store', redirect: 'manual', signal })).status;
  } catch {
    return null;
  }
}

/**
 * @param {Facts} facts
 * @param {{online: boolean, secure: boolean}} browser
 * @returns {Ending}
 */
export function explain(facts, browser) {
  const [kind, reason = ''] = classify(facts, browser);
  const types = /types: ([\d,]+)/.exec(facts.failure)?.[1].replaceAll(',', ', ') ?? '';
  const parameters = { host: facts.host, code: facts.close?.code ?? 0, types, detail: facts.failure };
  /** @param {string} part */
  const words = (part) => {
    const key = `end.${kind}.${part}`;
    const found = text(key, parameters);
    return found === key ? '' : found;
  };
  return {
    kind,
    tone: CALM.has(kind) ? 'calm' : 'problem',
    title: words('title'),
    what: words('text'),
    reason: reason.trim(),
    advice: WANTS_SECRET.has(kind) && !facts.secret ? text('end.openAgain') : words('advice'),
    retry: !FINAL.has(kind),
    forget: kind === 'password' || kind === 'signin',
  };
}

/**
 * @param {Facts} facts
 * @param {{online: boolean, secure: boolean}} browser
 * @returns {[kind: string, reason?: string]}
 */
function classify(facts, browser) {
  if (facts.by) return [facts.by];
  if (facts.start) return [facts.start];
  if (facts.security) return classifyRefusal(facts, facts.security);
  if (facts.close) return classifyClose(facts, facts.close, browser);
  if (/Unsupported security types|No supported sub-auth|Unsupported auth scheme/.test(facts.failure)) return ['types'];
  if (/Invalid server version/.test(facts.failure)) return ['notVnc', facts.failure];
  if (!facts.connected && !browser.secure && /undefined|null|subtle/.test(facts.failure)) return ['insecure'];
  return ['protocol', facts.failure];
}

/**
 * @param {Facts} facts
 * @param {{status: number, reason: string}} security
 * @returns {[kind: string, reason?: string]}
 */
function classifyRefusal(facts, { status, reason }) {
  if (status === 2 || /too many/i.test(reason)) return ['tooMany', reason];
  // Refused before any sign-in: the server sent no security types, only a reason.
  const early = /no security types|authentication scheme/.test(facts.failure);
  if (early || facts.credentials.length === 0) return ['refused', reason];
  return [facts.credentials.includes('username') ? 'signin' : 'password', reason];
}

/**
 * @param {Facts} facts
 * @param {{code: number, reason: string}} close
 * @param {{online: boolean}} browser
 * @returns {[kind: string, reason?: string]}
 */
function classifyClose(facts, { code, reason }, browser) {
  if (code === 1006) {
    if (!browser.online) return ['offline'];
    if (facts.opened) return ['lost'];
    // A script never sees why an upgrade was refused. But who answers plain HTTP is there, and
    // a 5xx is a web server before the proxy that cannot reach it either.
    return facts.probe !== null && facts.probe < 500 ? ['refusedByProxy'] : ['noProxy'];
  }
  if (/administrator/i.test(reason)) return ['admin', reason];
  switch (code) {
    case 1000:
    case 1005: // closed without a code, as some proxies do
      return [facts.connected ? 'server' : 'early', reason];
    case 1001:
      return [/shut/i.test(reason) || reason === '' ? 'shutdown' : 'serverLost', reason];
    case 1002:
    case 1003:
    case 1007:
    case 1009:
      return ['badFrames', reason];
    case 1008:
      return ['notAllowed', reason];
    case 1011:
    case 1014:
      return [facts.connected ? 'serverLost' : 'unreachable', reason];
    case 1012:
      return ['shutdown', reason];
    case 1013:
      return ['busy', reason];
    default:
      return ['code', reason];
  }
}

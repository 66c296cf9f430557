/**
 * The small page, `vnc_lite.html`: connects at once, shows the desktop and one button. Its
 * parameters come from the query alone and are read as noVNC's small page reads them.
 */

import { parseParameters } from './address.js';
import { Connection } from './connection.js';
import { byId } from './dom.js';
import { explain, probeProxy } from './ending.js';
import { text } from './messages.js';
import { SettingsStore } from './settings.js';

/**
 * @param {string} query as it was before the secrets were taken out
 * @param {Location} location
 * @returns {{url: URL, password: string | undefined, viewOnly: boolean, scale: boolean}}
 */
export function readLite(query, location) {
  const given = parseParameters(query);
  const path = given.get('path') ?? 'websockify';
  const elsewhere = given.has('host') || given.has('port');
  const url = elsewhere ? new URL(`./${path}`, `${location.origin}/`) : new URL(path, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  if (elsewhere) {
    url.hostname = given.get('host') ?? location.hostname;
    url.port = given.get('port') ?? location.port;
  }
  // Any text is a yes here, "false" too: so it has always been.
  const said = (/** @type {string} */ name) => Boolean(given.get(name));
  return { url, password: given.get('password'), viewOnly: said('view_only'), scale: said('scale') };
}

/** @param {string} query */
export function startLite(query) {
  const { url, password, viewOnly, scale } = readLite(query, window.location);
  const { dataset } = document.documentElement;
  const store = new SettingsStore({ search: '', hash: '', protocol: window.location.protocol, pathname: '' }, null);
  let desktop = '';

  /** @param {string} state @param {string} words */
  const enter = (state, words) => {
    dataset.state = state;
    byId('status').textContent = words;
  };

  enter('connecting', text('connecting.title'));
  const credentials = password === undefined ? {} : { password };
  const settings = { ...store.values, view_only: viewOnly };
  const connection = new Connection(byId('screen'), url, settings, credentials, {
    stage: () => {},
    prepare: (session) => {
      session.scaleViewport = scale;
    },
    credentialsRequired: (types) => {
      byId('username-field').hidden = !types.includes('username');
      byId('password-field').hidden = !types.includes('password');
      byId('credentials-form').hidden = false;
      dataset.dialog = 'credentials';
      byId('status').textContent = text(types.includes('username') ? 'credentials.username' : 'credentials.password');
      byId(types[0])?.focus();
    },
    identity: (fingerprint) => {
      if (window.confirm(`${text('identity.text')}\n\n${fingerprint}`)) connection.approveIdentity();
      else connection.end('identity');
    },
    connected: () => {
      byId('send-ctrl-alt-del').hidden = viewOnly;
      enter('connected', text(viewOnly ? 'status.connectedViewOnly' : 'status.connected', { desktop }));
      connection.session.focus({ preventScroll: true });
    },
    capabilities: () => {},
    desktopName: (name) => {
      desktop = name || text('desktop.unnamed');
      document.title = desktop;
      byId('screen').setAttribute('aria-label', desktop);
    },
    clipboard: () => {},
    bell: () => {},
    clipping: () => {},
    ended: async (facts) => {
      if (!facts.opened && !facts.start && !facts.by) facts.probe = await probeProxy(url, window.location.origin);
      const ending = explain(facts, { online: navigator.onLine, secure: window.isSecureContext });
      byId('send-ctrl-alt-del').hidden = true;
      dataset.ending = ending.kind;
      const reason = ending.reason && text('ended.reason', { reason: ending.reason });
      enter('disconnected', [`${ending.title}.`, ending.what, reason, ending.advice].filter(Boolean).join(' '));
    },
  });

  byId('credentials-form').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault();
    byId('credentials-form').hidden = true;
    delete dataset.dialog;
    byId('status').textContent = text('connecting.title');
    connection.sendCredentials({ username: byId('username').value, password: byId('password').value });
    byId('password').value = '';
  });
  byId('send-ctrl-alt-del').addEventListener('click', () => {
    connection.session?.sendCtrlAltDel();
    connection.session?.focus({ preventScroll: true });
  });
}

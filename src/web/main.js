/**
 * The page's life: idle -> connecting -> connected -> disconnected, and again. The state is
 * on the root element as `data-state`, for the style sheet and for tests.
 */

import { ringBell } from './bell.js';
import { Clipboard } from './clipboard.js';
import { Connection } from './connection.js';
import { Dialogs } from './dialogs.js';
import { explain } from './ending.js';
import { fillTexts, text } from './messages.js';
import { Retry } from './retry.js';
import { channelUrl, hideSecrets, openStorage, readSettings, storeSetting } from './settings.js';
import { Toolbar } from './toolbar.js';

/** @typedef {'idle' | 'connecting' | 'connected' | 'disconnected'} State */

const storage = openStorage();
const settings = readSettings(window.location, storage);
hideSecrets(window.location, window.history);
fillTexts(document);

const screen = /** @type {HTMLElement} */ (document.getElementById('screen'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));

/** For signing in again; lives only as long as the page. @type {import('./connection.js').Credentials} */
let credentials = {};
if (settings.password) credentials.password = settings.password;
if (settings.username) credentials.username = settings.username;

/** @type {Connection | null} */
let connection = null;
let desktop = '';

const dialogs = new Dialogs({
  connect,
  cancel: () => connection?.end('cancelled'),
  credentials: (given) => {
    credentials = { ...credentials, ...given };
    connection?.sendCredentials(credentials);
  },
  approve: () => connection?.approveIdentity(),
  reject: () => connection?.end('identity'),
  stopRetrying: () => {
    retry.cancel();
    dialogs.showCountdown(null);
  },
});

const toolbar = new Toolbar({
  disconnect: () => connection?.end('user'),
  resize: (mode) => {
    settings.resize = mode;
    storeSetting(storage, 'resize', mode);
    const session = connection?.session;
    if (!session) return;
    session.scaleViewport = mode === 'scale';
    session.resizeSession = mode === 'remote';
  },
});

const clipboard = new Clipboard(() => toolbar.setClipboardNews(true));

const retry = new Retry(settings.reconnect_delay, {
  tick: (seconds) => dialogs.showCountdown(seconds),
  now: connect,
});

function connect() {
  retry.cancel();
  if (connection) return;
  let url;
  try {
    url = channelUrl(settings, window.location.href);
  } catch (error) {
    return end({
      by: null, host: '', opened: false, connected: false, close: null, security: null,
      credentials: [], failure: error instanceof Error ? error.message : String(error), start: 'address',
    });
  }
  const { host } = url;
  enter('connecting', text('status.connecting'));
  dialogs.showConnecting('proxy', host);
  connection = new Connection(screen, url, settings, credentials, {
    stage: (stage) => dialogs.showConnecting(stage, host),
    credentialsRequired: (types) => dialogs.askCredentials(types, credentials),
    identity: (fingerprint) => dialogs.askIdentity(fingerprint),
    connected: start,
    desktopName: setDesktop,
    clipboard: (copied) => void clipboard.receive(copied),
    bell: () => settings.bell === 'on' && ringBell(),
    clipping: (clipping) => toolbar.setClipping(clipping),
    ended: end,
  });
}

/** The desktop is on the screen. */
function start() {
  const session = connection?.session;
  retry.succeeded();
  dialogs.hide();
  toolbar.attach(session, settings.view_only);
  toolbar.setResize(settings.resize);
  clipboard.attach(settings.view_only ? null : session);
  enter('connected', text(settings.view_only ? 'status.connectedViewOnly' : 'status.connected', { desktop }));
  session.focus({ preventScroll: true });
}

/** @param {import('./ending.js').Facts} facts */
function end(facts) {
  const ending = explain(facts, { online: navigator.onLine, secure: window.isSecureContext });
  connection = null;
  if (ending.forget) delete credentials.password;
  toolbar.attach(null, false);
  clipboard.attach(null);
  document.documentElement.dataset.ending = ending.kind;
  enter('disconnected', text('status.disconnected', { why: ending.title }));
  dialogs.showEnding(ending, facts.connected && facts.by === null);
  if (settings.reconnect && ending.retry) retry.schedule();
}

/** @param {string} name */
function setDesktop(name) {
  desktop = name || text('desktop.unnamed');
  toolbar.setName(desktop);
  screen.setAttribute('aria-label', desktop);
  document.title = text('title.connected', { desktop });
}

/** @param {State} state @param {string} words */
function enter(state, words) {
  const { dataset } = document.documentElement;
  if (state !== 'disconnected') delete dataset.ending;
  if (state !== 'connected') document.title = text('title.idle');
  dataset.state = state;
  say(words);
}

/** @param {string} words for the status line, which fades from view but not from hearing */
function say(words) {
  status.textContent = words;
  // Starts the fading again.
  status.classList.remove('fresh');
  void status.offsetWidth;
  status.classList.add('fresh');
}

// The margin around the desktop counts as the desktop.
screen.addEventListener('click', () => connection?.session?.focus({ preventScroll: true }));

// A link opened in a tab that shows this page already only changes the fragment.
window.addEventListener('hashchange', () => window.location.reload());

if (settings.autoconnect) {
  connect();
} else {
  enter('idle', text('status.idle'));
  dialogs.showConnect(new URL(window.location.href).host);
}

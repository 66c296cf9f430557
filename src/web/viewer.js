/**
 * The page's life: idle -> connecting -> connected -> disconnected, and again. The state is
 * on the root element as `data-state`, for the style sheet and for tests.
 */

import { channelUrl } from './address.js';
import { ringBell } from './bell.js';
import { Clipboard } from './clipboard.js';
import { Connection } from './connection.js';
import { Dialogs } from './dialogs.js';
import { byId, isTouch } from './dom.js';
import { explain, probeProxy } from './ending.js';
import { Info } from './info.js';
import { Keys } from './keys.js';
import { setLogging } from './library.js';
import { text } from './messages.js';
import { Panels } from './panels.js';
import { Power } from './power.js';
import { Retry } from './retry.js';
import { SettingsPanel } from './settingspanel.js';
import { Toolbar } from './toolbar.js';
import { TouchKeyboard } from './touchkeyboard.js';
import { View } from './view.js';
import { WakeLock } from './wakelock.js';

/** @typedef {'idle' | 'connecting' | 'connected' | 'disconnected'} State */
/** @typedef {import('./ending.js').Facts} Facts */

/** Put in by the bundler: the library's version. */
const VERSION = typeof NOVNC_VERSION === 'string' ? NOVNC_VERSION : '';

export class Viewer {
  #store;
  /** For signing in again; lives only as long as the page. @type {import('./connection.js').Credentials} */
  #credentials = {};
  /** @type {Connection | null} */ #connection = null;
  /** The end of a connection that is being looked into. @type {Facts | null} */ #doubt = null;
  #desktop = '';
  #leaving = false;

  #dialogs = new Dialogs({
    connect: () => this.#connect(),
    cancel: () => this.#cancel(),
    credentials: (given) => {
      this.#credentials = { ...this.#credentials, ...given };
      this.#connection?.sendCredentials(this.#credentials);
    },
    approve: () => this.#connection?.approveIdentity(),
    reject: () => this.#connection?.end('identity'),
    stopRetrying: () => this.#stopRetrying(),
  });
  #retry = new Retry({
    tick: (seconds) => this.#dialogs.showCountdown(seconds),
    now: () => this.#connect(),
  });
  #wakeLock = new WakeLock();
  #touch = new TouchKeyboard();
  #panels = new Panels(() => this.#focusDesktop());
  #keys; #power; #info; #view; #settingsPanel; #toolbar; #clipboard;

  /** @param {import('./settings.js').SettingsStore} store */
  constructor(store) {
    this.#store = store;
    const { password, username } = store.values;
    if (password) this.#credentials.password = password;
    if (username) this.#credentials.username = username;

    const page = {
      say: (/** @type {string} */ words) => say(words),
      backToDesktop: () => this.#focusDesktop(),
      desktop: () => this.#desktop,
    };
    this.#keys = new Keys(page);
    this.#power = new Power(this.#panels);
    this.#info = new Info(this.#panels);
    this.#view = new View(store, page);
    this.#settingsPanel = new SettingsPanel(store, VERSION);
    this.#toolbar = new Toolbar({
      disconnect: () => this.#connection?.end('user'),
      backToDesktop: page.backToDesktop,
      moved: (side) => store.change('controlbar_pos', side),
    }, this.#panels);
    this.#clipboard = new Clipboard(() => this.#toolbar.setClipboardNews(true));
    this.#panels.onChange((open) => {
      if (open === 'clipboard') this.#toolbar.setClipboardNews(false);
      // Who changes the settings is not to be interrupted by another attempt.
      if (open === 'settings' && !this.#connection) this.#stopRetrying();
    });
    this.#toolbar.setSide(store.values.controlbar_pos);
    this.#view.apply(null);
    store.onChange((name) => this.#settingChanged(name));
    this.#watchPage();
  }

  start() {
    if (this.#store.values.autoconnect) return this.#connect();
    this.#enter('idle', text('status.idle'));
    this.#dialogs.showConnect(this.#host());
  }

  #watchPage() {
    const screen = byId('screen');
    // The margin around the desktop counts as the desktop.
    screen.addEventListener('click', () => this.#focusDesktop());
    // A link opened in a tab that shows this page already only changes the fragment.
    window.addEventListener('hashchange', () => {
      this.#leaving = true;
      window.location.reload();
    });
    window.addEventListener('beforeunload', (event) => {
      if (this.#connection?.session && !this.#store.values.view_only && !this.#leaving) event.preventDefault();
    });
    window.addEventListener('online', () => this.#retry.hurry());
    window.addEventListener('offline', () => {
      if (this.#connection?.session) say(text('status.offline'));
    });
  }

  #stopRetrying() {
    this.#retry.cancel();
    this.#dialogs.showCountdown(null);
  }

  /** @returns {string} the proxy's host and port, as far as it is known */
  #host() {
    try {
      return channelUrl(this.#store.values, window.location.href).host;
    } catch {
      return this.#store.values.host;
    }
  }

  #connect() {
    this.#retry.cancel();
    if (this.#connection) return;
    this.#panels.close(false);
    /** @type {URL} */
    let url;
    try {
      url = channelUrl(this.#store.values, window.location.href);
    } catch {
      // What the browser says may quote the address with the secrets in it.
      const address = `${this.#store.values.host} ${this.#store.shown('path')}`.trim();
      return this.#end({
        by: null, host: '', secret: false, probe: null, opened: false, connected: false, close: null, security: null,
        credentials: [], failure: address, start: 'address',
      });
    }
    const { host } = url;
    this.#enter('connecting', text('status.connecting'));
    this.#dialogs.showConnecting('proxy', host);
    this.#connection = new Connection(byId('screen'), url, this.#store.values, this.#credentials, {
      stage: (stage) => this.#dialogs.showConnecting(stage, host),
      prepare: (session) => this.#view.apply(session),
      credentialsRequired: (types) => this.#dialogs.askCredentials(types, this.#credentials),
      identity: (fingerprint) => this.#dialogs.askIdentity(fingerprint),
      connected: () => this.#showDesktop(url),
      capabilities: () => this.#attachInput(),
      desktopName: (name) => this.#setDesktop(name),
      clipboard: (copied) => void this.#clipboard.receive(copied),
      bell: () => this.#store.values.bell === 'on' && ringBell(),
      clipping: () => this.#view.showPan(),
      ended: (facts) => void this.#askAndEnd(facts, url),
    });
  }

  /** @param {URL} url */
  #showDesktop(url) {
    const { view_only: viewOnly, keep_device_awake: awake } = this.#store.values;
    const { session, meter } = /** @type {Connection} */ (this.#connection);
    this.#retry.succeeded();
    this.#dialogs.hide();
    this.#toolbar.show(true);
    this.#view.attach(session);
    this.#attachInput();
    this.#info.attach({ session, meter, url, name: () => this.#desktop });
    this.#settingsPanel.setConnected(true);
    this.#wakeLock.set(awake);
    const words = text(viewOnly ? 'status.connectedViewOnly' : 'status.connected', { desktop: this.#desktop });
    this.#enter('connected', isTouch() || viewOnly ? words : `${words} · ${text('status.leave')}`);
    this.#focusDesktop();
  }

  #cancel() {
    if (this.#doubt) this.#end({ ...this.#doubt, by: 'cancelled' });
    else this.#connection?.end('cancelled');
  }

  /** What sends something to the desktop: only with a session that does not just watch. */
  #attachInput() {
    const session = this.#connection?.session ?? null;
    const input = this.#store.values.view_only ? null : session;
    for (const part of [this.#keys, this.#power, this.#touch, this.#clipboard]) part.attach(input);
  }

  /** @param {Facts} facts @param {URL} url */
  async #askAndEnd(facts, url) {
    const unopened = facts.by === null && facts.start === null && !facts.opened;
    if (unopened && facts.close?.code === 1006) {
      this.#doubt = facts;
      facts.probe = await probeProxy(url, window.location.origin);
      if (this.#doubt !== facts) return; // the user did not wait for that
    }
    this.#end(facts);
  }

  /** @param {Facts} facts */
  #end(facts) {
    const ending = explain(facts, { online: navigator.onLine, secure: window.isSecureContext });
    this.#connection = null;
    this.#doubt = null;
    if (ending.forget) delete this.#credentials.password;
    this.#panels.close(false);
    this.#toolbar.setClipboardNews(false);
    this.#view.attach(null);
    this.#attachInput();
    this.#info.attach(null);
    this.#toolbar.show(false);
    this.#settingsPanel.setConnected(false);
    this.#wakeLock.set(false);
    document.documentElement.dataset.ending = ending.kind;
    this.#enter('disconnected', text('status.disconnected', { why: ending.title }));
    this.#dialogs.showEnding(ending, facts.connected && facts.by === null);
    const { reconnect, reconnect_delay: delay } = this.#store.values;
    if (reconnect && ending.retry) this.#retry.schedule(delay);
  }

  /** @param {string} name of what the user chose in the settings */
  #settingChanged(name) {
    const { values } = this.#store;
    const session = this.#connection?.session;
    if (name === 'controlbar_pos') this.#toolbar.setSide(values.controlbar_pos);
    if (name === 'logging') setLogging(values.logging);
    if (!session) return;
    if (name === 'quality') session.qualityLevel = values.quality;
    if (name === 'compression') session.compressionLevel = values.compression;
    if (name === 'show_dot') session.showDotCursor = values.show_dot;
    if (name === 'keep_device_awake') this.#wakeLock.set(values.keep_device_awake);
    if (name === 'view_only') {
      if (values.view_only) this.#keys.attach(null); // lets go of held keys while it still can
      session.viewOnly = values.view_only;
      this.#attachInput();
    }
  }

  /** @param {string} name */
  #setDesktop(name) {
    this.#desktop = name || text('desktop.unnamed');
    this.#toolbar.setName(this.#desktop);
    byId('screen').setAttribute('aria-label', this.#desktop);
    if (document.documentElement.dataset.state === 'connected') this.#setTitle();
  }

  #setTitle() {
    document.title = text('title.connected', { desktop: this.#desktop });
  }

  #focusDesktop() {
    // The focus elsewhere would close the on-screen keyboard.
    if (!this.#touch.active) this.#connection?.session?.focus({ preventScroll: true });
  }

  /** @param {State} state @param {string} words */
  #enter(state, words) {
    const { dataset } = document.documentElement;
    if (state !== 'disconnected') delete dataset.ending;
    dataset.state = state;
    if (state === 'connected') this.#setTitle();
    else document.title = text('title.idle');
    say(words);
  }
}

/** @param {string} words for the status line, which fades from view but not from hearing */
function say(words) {
  const status = byId('status');
  status.textContent = words;
  // Starts the fading again.
  status.classList.remove('fresh');
  void status.offsetWidth;
  status.classList.add('fresh');
}

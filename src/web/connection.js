/**
 * One connection: the WebSocket, the library's RFB session on it, and the facts about its
 * end. A connection is used once; connecting again makes another one.
 */

import { hasSecret } from './address.js';
import { setLogging } from './library.js';
import { Meter } from './meter.js';
import { loadSessionClass } from './session.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./ending.js').Facts} Facts */
/** @typedef {'proxy' | 'server' | 'signin' | 'picture'} Stage what is being waited for */
/** @typedef {{username?: string, password?: string, target?: string}} Credentials */

/**
 * @typedef {object} Listener
 * @property {(stage: Stage) => void} stage still connecting
 * @property {(session: any) => void} prepare the library's session exists; how it is to be shown
 * @property {(types: string[]) => void} credentialsRequired answer with `sendCredentials`
 * @property {(fingerprint: string) => void} identity answer with `approveIdentity` or `end('identity')`
 * @property {() => void} connected the desktop is on the screen
 * @property {() => void} capabilities what the server can do has changed
 * @property {(name: string) => void} desktopName
 * @property {(text: string) => void} clipboard text copied on the remote side
 * @property {() => void} bell
 * @property {(clipping: boolean) => void} clipping the desktop is larger than its window
 * @property {(facts: Facts) => void} ended once, and the last of all calls
 */

/**
 * A server with nothing to show yet (a sleeping machine) is not waited for longer: the
 * desktop is then shown black, and the keyboard can wake it.
 */
const FIRST_PICTURE_MS = 4000;

/** @type {Promise<any> | null} */
let sessionClass = null;

export class Connection {
  /** @type {Listener} */ #listener;
  /** @type {any} */ #rfb = null;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Facts} */ #facts;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #firstPicture;
  #shown = false;
  #over = false;
  meter = new Meter();

  /**
   * Starts at once.
   * @param {HTMLElement} screen gets the canvas
   * @param {URL} url
   * @param {Settings} settings
   * @param {Credentials} credentials what is known already
   * @param {Listener} listener
   */
  constructor(screen, url, settings, credentials, listener) {
    this.#listener = listener;
    this.#facts = {
      by: null, host: url.host, secret: hasSecret(url), probe: null, opened: false, connected: false, close: null, security: null,
      credentials: Object.keys(credentials), failure: '', start: null,
    };
    void this.#start(screen, url, settings, credentials);
  }

  /** @returns {any} the library's session while the desktop is shown, else null */
  get session() {
    return this.#shown && !this.#over ? this.#rfb : null;
  }

  /** @param {Credentials} credentials */
  sendCredentials(credentials) {
    this.#rfb?.sendCredentials(credentials);
    if (!this.#over) this.#listener.stage('signin');
  }

  approveIdentity() {
    this.#rfb?.approveServer();
    if (!this.#over) this.#listener.stage('signin');
  }

  /**
   * Ends it at the user's wish. `ended` is called before this returns.
   * @param {'user' | 'cancelled' | 'identity'} by
   */
  end(by) {
    if (this.#over) return;
    this.#facts.by = by;
    this.#rfb?.disconnect();
    this.#finish();
  }

  /**
   * @param {HTMLElement} screen
   * @param {URL} url
   * @param {Settings} settings
   * @param {Credentials} credentials
   */
  async #start(screen, url, settings, credentials) {
    let Session;
    try {
      setLogging(settings.logging);
      sessionClass ??= loadSessionClass();
      // A failed load is not remembered: the next attempt may have the network back.
      sessionClass.catch(() => {
        sessionClass = null;
      });
      Session = await sessionClass;
      if (this.#over) return;
      this.#listener.stage('proxy');
      this.#socket = new WebSocket(url);
    } catch (error) {
      // A policy makes it throw too, each browser its own kind of error; a bad address is always this one.
      const syntax = error instanceof DOMException && error.name === 'SyntaxError';
      return this.#failStart(!Session ? 'browser' : syntax ? 'address' : 'blocked', error);
    }
    // Closed already: the page's Content-Security-Policy forbids it (Chromium; Firefox throws).
    if (this.#socket.readyState === WebSocket.CLOSED) return this.#failStart('blocked', '');
    this.#watch(this.#socket);
    try {
      this.#rfb = new Session(screen, this.#socket, {
        credentials: { ...credentials },
        shared: settings.shared,
        repeaterID: settings.repeaterID,
      });
    } catch (error) {
      this.#socket.close();
      return this.#failStart('browser', error);
    }
    this.#apply(settings);
    this.#listen(this.#rfb);
  }

  /**
   * Learns how the WebSocket ends. By addEventListener, as the library takes the `on`
   * properties, and before the library sees the socket, so as to hear of the end first.
   * @param {WebSocket} socket
   */
  #watch(socket) {
    this.meter.watch(socket);
    socket.addEventListener('message', () => {
      if (!this.#over) this.#listener.stage('signin');
    }, { once: true });
    socket.addEventListener('open', () => {
      this.#facts.opened = true;
      if (!this.#over) this.#listener.stage('server');
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (!this.#over) this.#facts.close = { code, reason };
    });
  }

  /** @param {Settings} settings */
  #apply(settings) {
    const rfb = this.#rfb;
    rfb.meter = this.meter;
    rfb.onpicture = () => this.#show();
    rfb.background = 'transparent';
    rfb.viewOnly = settings.view_only;
    rfb.qualityLevel = settings.quality;
    rfb.compressionLevel = settings.compression;
    rfb.showDotCursor = settings.show_dot;
    rfb.focusOnClick = true;
    this.#listener.prepare(rfb);
  }

  /** @param {any} rfb */
  #listen(rfb) {
    const listener = this.#listener;
    /** @type {Record<string, (detail: any) => void>} */
    const handlers = {
      credentialsrequired: ({ types }) => {
        this.#facts.credentials = types;
        listener.credentialsRequired(types);
      },
      serververification: ({ publickey }) => void this.#verify(publickey),
      securityfailure: ({ status, reason }) => {
        this.#facts.security = { status, reason: reason ?? '' };
      },
      connect: () => {
        this.#facts.connected = true;
        listener.stage('picture');
        this.#firstPicture = setTimeout(() => this.#show(), FIRST_PICTURE_MS);
      },
      capabilities: () => listener.capabilities(),
      desktopname: ({ name }) => listener.desktopName(name),
      clipboard: ({ text }) => listener.clipboard(text),
      bell: () => listener.bell(),
      clippingviewport: (clipping) => listener.clipping(Boolean(clipping)),
      disconnect: () => this.#finish(),
    };
    for (const [name, handle] of Object.entries(handlers)) {
      rfb.addEventListener(name, (/** @type {CustomEvent} */ event) => {
        if (!this.#over) handle(event.detail);
      });
    }
  }

  /** The first picture is painted, or does not come. */
  #show() {
    if (this.#shown || this.#over || !this.#facts.connected) return;
    this.#shown = true;
    clearTimeout(this.#firstPicture);
    this.meter.since = performance.now();
    this.#listener.connected();
  }

  /**
   * The fingerprint as VNC viewers show it: the first eight bytes of the key's SHA-1.
   * @param {Uint8Array<ArrayBuffer>} key
   */
  async #verify(key) {
    if (!window.crypto.subtle) {
      // No fingerprint to show, and the library could not go on either.
      this.#rfb.disconnect();
      return this.#failStart('insecure', '');
    }
    const digest = new Uint8Array(await window.crypto.subtle.digest('SHA-1', key));
    const pairs = Array.from(digest.slice(0, 8), (byte) => byte.toString(16).padStart(2, '0'));
    if (!this.#over) this.#listener.identity(pairs.join('-'));
  }

  /** @param {NonNullable<Facts['start']>} start @param {unknown} error */
  #failStart(start, error) {
    if (this.#over) return;
    this.#facts.start = start;
    this.#facts.failure = error instanceof Error ? error.message : String(error);
    this.#finish();
  }

  #finish() {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#firstPicture);
    this.#facts.failure ||= this.#rfb?.failureDetails ?? '';
    this.#listener.ended(this.#facts);
  }
}

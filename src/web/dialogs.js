/**
 * The card in the middle of the window. It shows one thing at a time: the Connect button,
 * progress, a question of the server, or why the connection ended.
 */

import { byId } from './dom.js';
import { text } from './messages.js';

/** @typedef {import('./ending.js').Ending} Ending */
/** @typedef {import('./connection.js').Credentials} Credentials */
/** @typedef {'connect' | 'connecting' | 'credentials' | 'identity' | 'ended'} Form */

/**
 * @typedef {object} Actions what the user can decide here
 * @property {() => void} connect the Connect or Connect again button
 * @property {() => void} cancel stop connecting
 * @property {(credentials: Credentials) => void} credentials
 * @property {() => void} approve
 * @property {() => void} reject
 * @property {() => void} stopRetrying
 */

/** @type {Form[]} */
const FORMS = ['connect', 'connecting', 'credentials', 'identity', 'ended'];
const FIELDS = /** @type {const} */ (['username', 'password', 'target']);
const ICONS = { connect: 'screen', connecting: 'screen', credentials: 'key', identity: 'shield' };

/** What is waited for while connecting, in order. @type {import('./connection.js').Stage[]} */
const STAGES = ['proxy', 'server', 'signin', 'picture'];

/** The server may need this long before waiting looks like a fault. */
const SLOW_AFTER_MS = 8000;

export class Dialogs {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #slow;
  /** @type {string[]} */ #types = [];

  /** @param {Actions} actions */
  constructor(actions) {
    /** @param {string} form @param {() => void} act */
    const onSubmit = (form, act) => byId(form).addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      act();
    });
    onSubmit('connect-form', actions.connect);
    onSubmit('ended-form', actions.connect);
    onSubmit('identity-form', actions.approve);
    onSubmit('credentials-form', () => actions.credentials(this.#takeCredentials()));
    byId('cancel').addEventListener('click', actions.cancel);
    byId('credentials-cancel').addEventListener('click', actions.cancel);
    byId('identity-reject').addEventListener('click', actions.reject);
    byId('cancel-reconnect').addEventListener('click', actions.stopRetrying);
    byId('password-show').addEventListener('click', () => {
      this.#showPassword(byId('password').type === 'password');
      byId('password').focus();
    });
    for (const event of ['keydown', 'keyup']) {
      byId('password').addEventListener(event, (/** @type {KeyboardEvent} */ key) => {
        // A browser that fills the field in sends events that are no keys.
        byId('caps-lock').hidden = !key.getModifierState?.('CapsLock');
      });
    }
    byId('dialog').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape') return;
      if (!byId('connecting-form').hidden || !byId('credentials-form').hidden) actions.cancel();
      else if (!byId('cancel-reconnect').hidden) actions.stopRetrying();
    });
  }

  /** @param {string} host */
  showConnect(host) {
    this.#show('connect', text('title.idle'), text('connect.text', { host }));
    byId('insecure-note').hidden = window.isSecureContext;
    byId('connect').focus();
  }

  /** @param {import('./connection.js').Stage} stage @param {string} host */
  showConnecting(stage, host) {
    const first = byId('connecting-form').hidden;
    this.#show('connecting', text('connecting.title'), '');
    for (const item of byId('steps').children) {
      const name = /** @type {import('./connection.js').Stage} */ (item.dataset.step);
      item.textContent = text(`connecting.${name}`, { host });
      const ahead = STAGES.indexOf(name) - STAGES.indexOf(stage);
      item.dataset.progress = ahead < 0 ? 'done' : ahead === 0 ? 'now' : 'later';
      if (ahead === 0) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
    if (first) this.#focusCard();
    this.#slow = setTimeout(() => this.#line('dialog-advice', text('connecting.slow')), SLOW_AFTER_MS);
  }

  /**
   * @param {string[]} types which of username, password and target are wanted
   * @param {Credentials} known put in already
   */
  askCredentials(types, known) {
    this.#types = types;
    const asks = types.includes('username') ? 'username' : 'password';
    this.#show('credentials', text('credentials.title'), text(`credentials.${asks}`));
    for (const field of FIELDS) {
      byId(`${field}-field`).hidden = !types.includes(field);
      byId(field).value = known[field] ?? '';
    }
    const first = types.find((type) => byId(type)?.value === '') ?? types[0];
    byId(first)?.focus();
  }

  /** @param {string} fingerprint of the server's key */
  askIdentity(fingerprint) {
    this.#show('identity', text('identity.title'), text('identity.text'));
    byId('fingerprint').textContent = fingerprint;
    // The safe answer has the focus: Enter is pressed without reading.
    byId('identity-reject').focus();
  }

  /**
   * @param {Ending} ending
   * @param {boolean} interrupted the user may be typing: the next Enter or blank is not for us
   */
  showEnding(ending, interrupted) {
    this.#show('ended', ending.title, ending.what, ending.tone);
    this.#line('dialog-reason', ending.reason && text('ended.reason', { reason: ending.reason }));
    this.#line('dialog-advice', ending.advice);
    this.showCountdown(null);
    if (interrupted) this.#focusCard();
    else byId('reconnect').focus();
  }

  /** @param {number | null} seconds until the next attempt; null: there is none */
  showCountdown(seconds) {
    byId('cancel-reconnect').hidden = seconds === null;
    this.#line('countdown', seconds === null ? '' : text('ended.countdown', { seconds }));
  }

  hide() {
    clearTimeout(this.#slow);
    byId('dialog').hidden = true;
    delete document.documentElement.dataset.dialog;
    this.#forgetInputs();
  }

  /**
   * @param {Form} form
   * @param {string} title
   * @param {string} what
   * @param {'calm' | 'problem'} [tone]
   */
  #show(form, title, what, tone = 'calm') {
    clearTimeout(this.#slow);
    if (form !== 'credentials') this.#forgetInputs();
    byId('dialog').hidden = false;
    byId('dialog').dataset.tone = tone;
    byId('dialog-title').textContent = title;
    this.#line('dialog-text', what);
    byId('dialog-icon').firstElementChild.setAttribute('href', `#icon-${form === 'ended' ? tone : ICONS[form]}`);
    for (const line of ['dialog-reason', 'dialog-advice']) this.#line(line, '');
    for (const each of FORMS) byId(`${each}-form`).hidden = each !== form;
    byId('insecure-note').hidden = true;
    document.documentElement.dataset.dialog = form;
  }

  #focusCard() {
    byId('dialog').focus();
  }

  /** @param {string} id @param {string} content an empty line is hidden */
  #line(id, content) {
    byId(id).textContent = content;
    byId(id).hidden = content === '';
  }

  /** @returns {Credentials} only what was asked for */
  #takeCredentials() {
    const credentials = Object.fromEntries(
      FIELDS.filter((field) => this.#types.includes(field)).map((field) => [field, byId(field).value]));
    this.#forgetInputs();
    return credentials;
  }

  /** @param {boolean} shown */
  #showPassword(shown) {
    byId('password').type = shown ? 'text' : 'password';
    byId('password-show').setAttribute('aria-pressed', String(shown));
  }

  #forgetInputs() {
    this.#showPassword(false);
    byId('caps-lock').hidden = true;
    for (const field of FIELDS) byId(field).value = '';
  }
}

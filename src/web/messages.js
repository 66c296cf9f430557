/**
 * Every string a user can see, in one table, so that a translation is another
 * table of the same keys. `{name}` is filled in from the parameters of `text()`.
 */

/** @type {Record<string, string>} */
const english = {
  'title.idle': 'Remote desktop',
  'title.connected': '{desktop} – Remote desktop',

  'status.idle': 'Not connected',
  'status.connecting': 'Connecting',
  'status.connected': 'Connected to {desktop}',
  'status.connectedViewOnly': 'Watching {desktop} (view only)',
  'status.disconnected': 'Disconnected: {why}',

  'connect.title': 'Remote desktop',
  'connect.text': 'Ready to connect through {host}.',
  'connect.button': 'Connect',
  'connect.insecure':
    'This page was opened without HTTPS: others on the network may be able to see what you type, ' +
    'and the clipboard is not shared automatically.',

  'connecting.title': 'Connecting…',
  'connecting.proxy': 'Reaching {host}.',
  'connecting.server': 'Waiting for the VNC server to answer.',
  'connecting.checking': 'Checking your sign-in.',
  'connecting.slow': 'This takes longer than usual. You can keep waiting or cancel.',
  'connecting.cancel': 'Cancel',

  'credentials.title': 'Sign in',
  'credentials.password': 'The VNC server asks for its password.',
  'credentials.username': 'The VNC server asks who you are.',
  'credentials.label.username': 'User name',
  'credentials.label.password': 'Password',
  'credentials.label.target': 'Target',
  'credentials.submit': 'Continue',
  'credentials.cancel': 'Cancel',

  'identity.title': 'Is this the right server?',
  'identity.text':
    'The server identifies itself by the key below. Compare the fingerprint with the one your ' +
    'administrator gave you; continue only if they are the same.',
  'identity.label': 'Fingerprint',
  'identity.approve': 'It matches, continue',
  'identity.reject': 'Reject',

  'ended.again': 'Connect again',
  'ended.reason': 'Reason given: {reason}',
  'ended.countdown': 'Connecting again in {seconds} s.',
  'ended.stop': 'Stop trying',

  'end.user.title': 'Disconnected',
  'end.user.text': 'You ended the session.',
  'end.cancelled.title': 'Cancelled',
  'end.cancelled.text': 'You cancelled before the desktop was reached.',
  'end.identity.title': 'Server rejected',
  'end.identity.text': 'You did not accept the key of the server, so nothing was sent to it.',
  'end.identity.advice': 'If you did not expect that key, ask your administrator before trying again.',
  'end.password.title': 'Wrong password',
  'end.password.text': 'The VNC server did not accept the password.',
  'end.password.advice': 'Connect again to enter it once more. Capital letters count.',
  'end.signin.title': 'Sign-in failed',
  'end.signin.text': 'The VNC server did not accept the user name or the password.',
  'end.signin.advice': 'Connect again to enter them once more. Capital letters count.',
  'end.refused.title': 'The VNC server refused',
  'end.refused.text': 'The VNC server answered but did not let you in.',
  'end.refused.advice': 'Its own log says more. Wait a little before trying again.',
  'end.tooMany.title': 'Too many attempts',
  'end.tooMany.text': 'The VNC server refuses new connections after too many failed sign-ins.',
  'end.tooMany.advice': 'Wait a minute before connecting again; each attempt may prolong the block.',
  'end.types.title': 'No common way to sign in',
  'end.types.text':
    'The VNC server offers only sign-in methods that no browser can speak (security types {types}).',
  'end.types.advice':
    'Let the server also offer None, VncAuth or Plain (in GNOME: do not require encryption), and ' +
    'rely on HTTPS between browser and proxy.',
  'end.notVnc.title': 'Not a VNC server',
  'end.notVnc.text': 'Something answered behind the proxy, but it does not speak VNC.',
  'end.notVnc.advice': 'Check the host and port of the target.',
  'end.protocol.title': 'Unexpected data from the server',
  'end.protocol.text': 'The session stopped because the server sent something this viewer cannot read.',
  'end.protocol.advice': 'Connect again. If it happens at once, the server and this page do not fit together.',
  'end.insecure.title': 'HTTPS needed',
  'end.insecure.text': 'This server signs in with encryption that browsers offer only to pages opened over HTTPS.',
  'end.insecure.advice': 'Open this page over https:// and connect again.',
  'end.browser.title': 'This browser cannot show the desktop',
  'end.browser.text': 'The viewer could not start: {detail}',
  'end.browser.advice': 'Update the browser, or try another one.',
  'end.address.title': 'Address not valid',
  'end.address.text': 'The address of the proxy in this link cannot be used: {detail}',
  'end.address.advice': 'Check the parameters path, host and port of the link.',
  'end.blocked.title': 'Blocked by the browser',
  'end.blocked.text': 'This page may not connect to {host}.',
  'end.blocked.advice':
    'A page opened over HTTPS can only use an encrypted connection, and the policy of the page may limit it to ' +
    'its own server. Check the parameters host, port and encrypt of the link.',

  'end.noProxy.title': 'Cannot reach the proxy',
  'end.noProxy.text': 'No connection to {host} could be opened.',
  'end.noProxy.advice':
    'The proxy may be stopped, the network down, or this link (its path or token) no longer valid.',
  'end.offline.title': 'You are offline',
  'end.offline.text': 'This device has no network connection at the moment.',
  'end.offline.advice': 'Connect again when the network is back.',
  'end.lost.title': 'Connection lost',
  'end.lost.text': 'The connection to the proxy broke off without a word.',
  'end.lost.advice': 'This is usually the network between you and the proxy. The desktop keeps running; connect again.',
  'end.unreachable.title': 'VNC server not reachable',
  'end.unreachable.text': 'The proxy works, but it could not reach the VNC server.',
  'end.unreachable.advice': 'Check that the VNC server is running and that the proxy has its right address.',
  'end.server.title': 'Session ended',
  'end.server.text': 'The VNC server closed the connection.',
  'end.server.advice': 'You may have logged out, or the server was stopped or gave the screen to someone else.',
  'end.early.title': 'The VNC server hung up',
  'end.early.text': 'The VNC server closed the connection before the desktop could be shown.',
  'end.early.advice': 'It may be busy, restarting, or not allow connections from the proxy.',
  'end.shutdown.title': 'The proxy is shutting down',
  'end.shutdown.text': 'The proxy was stopped or is being restarted.',
  'end.shutdown.advice': 'Connect again in a moment. The desktop itself keeps running.',
  'end.serverLost.title': 'Connection to the VNC server lost',
  'end.serverLost.text': 'The proxy works, but its connection to the VNC server broke.',
  'end.serverLost.advice': 'The VNC server may have crashed or its network failed. Connect again.',
  'end.notAllowed.title': 'Not allowed',
  'end.notAllowed.text': 'The proxy does not allow this connection.',
  'end.notAllowed.advice': 'Ask your administrator, or for a new link.',
  'end.busy.title': 'Try again later',
  'end.busy.text': 'The proxy cannot take the connection just now.',
  'end.busy.advice': 'Connect again in a moment.',
  'end.badFrames.title': 'Protocol error',
  'end.badFrames.text': 'The proxy and the browser did not understand each other (code {code}).',
  'end.badFrames.advice': 'Reload the page. If that does not help, something between them changes the traffic.',
  'end.code.title': 'Connection closed',
  'end.code.text': 'The connection was closed with code {code}.',
  'end.code.advice': 'Connect again.',

  'toolbar.name': 'Session',
  'toolbar.toggle': 'Session menu (Ctrl+Alt+Shift)',
  'toolbar.scale': 'Size of the desktop',
  'toolbar.scale.fit': 'Fit',
  'toolbar.scale.fit.hint': 'Scale the desktop to the window',
  'toolbar.scale.off': '1:1',
  'toolbar.scale.off.hint': 'Show every pixel as it is',
  'toolbar.scale.remote': 'Resize',
  'toolbar.scale.remote.hint': 'Make the remote desktop as large as the window',
  'toolbar.pan': 'Move view',
  'toolbar.pan.hint': 'Drag to move the visible part of the desktop',
  'toolbar.clipboard': 'Clipboard',
  'toolbar.cad': 'Ctrl+Alt+Del',
  'toolbar.cad.hint': 'Send Ctrl+Alt+Del to the remote desktop',
  'toolbar.fullscreen': 'Full screen',
  'toolbar.disconnect': 'Disconnect',

  'clipboard.title': 'Clipboard',
  'clipboard.text': 'Text copied on the remote desktop appears here. What you type or paste here can be pasted there.',
  'clipboard.label': 'Clipboard text',
  'clipboard.copy': 'Copy to this device',
  'clipboard.copied': 'Copied',
  'clipboard.clear': 'Clear',
  'clipboard.close': 'Close',

  'desktop.unnamed': 'the remote desktop',
};

let table = english;

/**
 * Makes another language current; keys it lacks stay English.
 * @param {Record<string, string>} strings
 */
export function useLanguage(strings) {
  table = { ...english, ...strings };
}

/**
 * The text of `key` in the current language.
 * @param {string} key
 * @param {Record<string, string | number>} [parameters]
 * @returns {string}
 */
export function text(key, parameters = {}) {
  const pattern = table[key] ?? key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => String(parameters[name] ?? whole));
}

/**
 * Fills in the texts of the page: `data-text` names the key of an element's text,
 * `data-hint` that of its tooltip, `data-name` that of its accessible name.
 * @param {ParentNode} root
 */
export function fillTexts(root) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (
    root.querySelectorAll('[data-text], [data-hint], [data-name]')
  )) {
    const { text: textKey, hint, name } = element.dataset;
    if (textKey) element.textContent = text(textKey);
    if (hint) element.title = text(hint);
    if (name) element.setAttribute('aria-label', text(name));
  }
}

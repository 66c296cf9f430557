/**
 * The parts inside noVNC that its package does not export by name. Here and nowhere else, so
 * that a new version of it is a matter of this file and session.js.
 */

// @ts-expect-error: it has no types
import keysyms from './node_modules/@novnc/novnc/core/input/keysymdef.js';
// @ts-expect-error: it has no types
import { initLogging } from './node_modules/@novnc/novnc/core/util/logging.js';

/**
 * What the library writes to the browser's console.
 * @param {'error' | 'warn' | 'info' | 'debug'} level
 */
export function setLogging(level) {
  initLogging(level);
}

/**
 * @param {string} character
 * @returns {number} the number X has for the key that types it
 */
export function keysymOf(character) {
  return keysyms.lookup(character.codePointAt(0));
}

/**
 * The texts of the current language. Each language is a table in `lang/`; the browser's
 * list of languages chooses, unless the user or the link did.
 */

import de from './lang/de.js';
import english from './lang/en.js';
import es from './lang/es.js';
import fr from './lang/fr.js';
import ja from './lang/ja.js';
import zhCN from './lang/zh-CN.js';

/** @type {Record<string, [name: string, table: Record<string, string>]>} */
const LANGUAGES = {
  en: ['English', english],
  de: ['Deutsch', de],
  fr: ['Français', fr],
  es: ['Español', es],
  ja: ['日本語', ja],
  'zh-CN': ['简体中文', zhCN],
};

/** Written from right to left; the layout follows, whether or not we have the words. */
const RIGHT_TO_LEFT = /^(ar|dv|fa|he|ps|sd|ug|ur|yi)\b/i;

let table = english;

/** @returns {[tag: string, name: string][]} what there is to choose from */
export function languages() {
  return Object.entries(LANGUAGES).map(([tag, [name]]) => [tag, name]);
}

/**
 * The best language we have for what is wanted.
 * @param {readonly string[]} wanted tags as in `navigator.languages`, the best first
 * @returns {string}
 */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const [language, ...rest] = tag.toLowerCase().split('-');
    // Traditional characters are no substitute for simplified ones, nor the other way round.
    if (language === 'zh' && !rest.some((part) => ['tw', 'hk', 'mo', 'hant'].includes(part))) return 'zh-CN';
    if (language !== 'zh' && Object.hasOwn(LANGUAGES, language)) return language;
  }
  return 'en';
}

/**
 * Makes a language current for all texts asked for from now on.
 * @param {string} choice a tag, or empty: as the browser says
 */
export function useLanguage(choice) {
  const wanted = choice ? [choice] : navigator.languages ?? [];
  const tag = chooseLanguage(wanted);
  table = { ...english, ...LANGUAGES[tag][1] };
  document.documentElement.lang = tag;
  document.documentElement.dir = choice && RIGHT_TO_LEFT.test(choice) ? 'rtl' : 'ltr';
}

/**
 * The text of `key` in the current language.
 * @param {string} key
 * @param {Record<string, string | number>} [parameters]
 * @returns {string} the key itself when there is no such text
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

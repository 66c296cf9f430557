/** Where the page starts: which page it is, and what it is told before it shows anything. */

import { hideSecrets } from './address.js';
import { startLite } from './lite.js';
import { fillTexts, useLanguage } from './messages.js';
import { fetchFiles, openStorage, SettingsStore } from './settings.js';
import { Viewer } from './viewer.js';

/** As the link was: its secrets are taken out of the address bar before anything else. */
const { search, hash, protocol, pathname } = window.location;
hideSecrets(window.location, window.history);

if (document.documentElement.dataset.page === 'lite') {
  useLanguage('');
  fillTexts(document);
  startLite(search);
} else {
  const files = await fetchFiles();
  const store = new SettingsStore({ search, hash, protocol, pathname }, openStorage(), files);
  useLanguage(store.values.lang);
  fillTexts(document);
  store.onChange((name) => {
    if (name !== 'lang') return;
    useLanguage(store.values.lang);
    fillTexts(document);
  });
  new Viewer(store).start();
}

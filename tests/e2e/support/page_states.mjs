// Every state of the page that a person can come to see, one after the other: for axe-core and for scripts/screenshots.
import { startTigerVnc } from './desktop.mjs';
import { Proxy } from './proxy.mjs';
import { startRfbServer } from './rfb_server.mjs';
import { until } from './scope.mjs';
import { refusedPort, startGreeter } from './servers.mjs';

export const looks = [
  ['desktop-light', { size: { width: 1280, height: 900 } }],
  ['desktop-dark', { size: { width: 1280, height: 900 }, dark: true }],
  ['phone-light', { size: { width: 360, height: 740 }, touch: true }],
  ['phone-dark', { size: { width: 360, height: 740 }, touch: true, dark: true }],
];

/** A proxy in front of each kind of server. `desktop` is the port of what is to be seen on the screen. */
export async function startStateProxies(t, desktop) {
  const locked = await startTigerVnc(t, { password: 'sesame42', width: 640, height: 480 });
  const machine = await startRfbServer(t, { width: 1024, height: 768 });
  const targets = {
    desktop: desktop ?? machine.port, machine: machine.port, locked: locked.port,
    identity: (await startRfbServer(t, { ra2: 'sesame42' })).port, silent: (await startGreeter(t, '')).port, away: await refusedPort(),
  };
  const started = await Promise.all(Object.entries(targets).map(async ([name, port]) => [name, await Proxy.start(t, port)]));
  return Object.fromEntries(started);
}

/** Brings a page to each state in turn and calls `look(name, page)` there. */
export async function visitStates(browser, proxies, how, look) {
  const on = async (address, act) => {
    const page = await browser.open(address, how);
    try {
      await act(page);
    } finally {
      await page.close();
    }
  };
  const dialog = (page, name) => page.waits(`the card ${name}`, (n) => document.documentElement.dataset.dialog === n, name);
  const panel = async (page, name) => {
    if (await page.evaluate(() => document.querySelector('#toolbar-panel').hidden)) await page.click('#toolbar-toggle');
    await page.click(`#${name}-toggle`);
    await page.waits(`the panel ${name}`, (n) => document.documentElement.dataset.panel === n, name);
  };

  await on(`${proxies.desktop.url}vnc.html`, async (page) => {
    await dialog(page, 'connect');
    await look('connect', page);
    await page.click('#connect-form .open-settings');
    await page.click('#settings-advanced summary');
    await look('connect-settings', page);
  });
  await on(proxies.silent.url, async (page) => {
    await page.waits('the step "server"', () => document.querySelector('[data-progress="now"]')?.dataset.step === 'server');
    await look('connecting', page);
  });
  await on(proxies.locked.url, async (page) => {
    await dialog(page, 'credentials');
    await page.write('#password', 'wrong');
    await page.click('#password-show');
    await look('credentials', page);
    await page.click('#credentials-submit');
    await dialog(page, 'ended');
    await look('ended-password', page);
  });
  await on(proxies.identity.url, async (page) => {
    await dialog(page, 'identity');
    await look('identity', page);
  });
  await on(`${proxies.away.url}?reconnect=1&reconnect_delay=60000`, async (page) => {
    await dialog(page, 'ended');
    await page.waits('the countdown', () => !document.querySelector('#countdown').hidden);
    await look('ended-countdown', page);
  });
  await on(`${proxies.desktop.url}?resize=scale`, async (page) => {
    await page.reaches('connected');
    await look('desktop', page);
    await page.click('#toolbar-toggle');
    await look('bar', page);
    for (const name of ['view', 'keys', 'clipboard', 'info', 'settings']) {
      await panel(page, name);
      if (name === 'keys') await page.click('#keys-panel summary');
      if (name === 'info') await page.waits('a measured round trip', () => /ms/.test(document.querySelector('#info-roundTrip').textContent));
      await look(`panel-${name}`, page);
      await page.click(`#${name}-close`);
    }
  });
  await on(`${proxies.machine.url}?resize=scale`, async (page) => {
    await page.reaches('connected');
    await panel(page, 'power');
    await page.click('#power-reboot');
    await page.waits('the question', () => document.querySelector('.danger') !== null);
    await look('panel-power', page);
    await page.click('#power-close');
    await page.click('#disconnect');
    await dialog(page, 'ended');
    await look('ended-user', page);
  });
  await on(`${proxies.machine.url}?resize=scale&controlbar_pos=right`, async (page) => {
    await page.reaches('connected');
    await panel(page, 'view');
    for (const side of ['right', 'top', 'bottom']) {
      await page.evaluate((to) => {
        const choice = document.querySelector('#setting-controlbar_pos');
        choice.value = to;
        choice.dispatchEvent(new Event('change'));
      }, side);
      await page.waits(`the bar at the ${side}`, (to) => document.querySelector('#toolbar').dataset.side === to, side);
      await look(`side-${side}`, page);
    }
  });
  await on(`${proxies.machine.url}vnc_lite.html?scale=1`, async (page) => {
    await page.reaches('connected');
    await look('lite', page);
  });
  await on(`${proxies.locked.url}vnc_lite.html`, async (page) => {
    await until('the password field', () => page.evaluate(() => document.documentElement.dataset.dialog === 'credentials'));
    await look('lite-credentials', page);
  });
}

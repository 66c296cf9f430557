// What the viewer page offers besides the desktop itself, the same for each browser: its bar, panels, parameters, ends.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTigerVnc } from './desktop.mjs';
import { binary, Proxy } from './proxy.mjs';
import { startClosingProxy, startReverseProxy, startRfbServer, startWebServer } from './rfb_server.mjs';
import { fileScope, run, start, tempDir, until } from './scope.mjs';
import { refusedPort, startGreeter } from './servers.mjs';
import { makeCertificate } from './tls.mjs';

export const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };
const top = fileURLToPath(new URL('../../../', import.meta.url));
const bundle = path.join(top, 'build/page');

/** Ends that the library and the browser put on the console in their own words. */
const ends = /^Failed (when|while|to) |^WebSocket connection to|can.t establish a connection|was interrupted while|Failed to load resource|NetworkError|connection to ws/i;

export function pageScenarios(launch) {
  const scope = fileScope();
  let browser;
  let desktop;
  let proxy;
  let machine;
  let machineProxy;
  test.before(async () => {
    [browser, desktop, machine] = await Promise.all([
      launch(scope), startTigerVnc(scope, { width: 1024, height: 768, args: ['-desktop', 'Office desktop'] }), startRfbServer(scope),
    ]);
    proxy = await Proxy.start(scope, desktop.port);
    machineProxy = await Proxy.start(scope, machine.port);
  });

  /** Opens an address below the proxy's; the page closes with the test, which fails if it had problems of its own. */
  async function open(t, at, rest = '', { expected = /^$/, ...how } = {}) {
    const page = await browser.open((typeof at === 'string' ? at : at.url) + rest, how);
    t.after(async () => {
      await page.close();
      assert.deepEqual(page.problems.filter((problem) => !expected.test(problem)), []);
    });
    return page;
  }

  async function openConnected(t, at, rest, how) {
    const page = await open(t, at, rest, how);
    await page.reaches('connected');
    return page;
  }

  const ending = (page) => page.evaluate(() => document.documentElement.dataset.ending);
  const endsWith = (page, kind) => until(`the end ${kind}`, async () => (await ending(page)) === kind, { timeout: 15_000, last: async () => `${await ending(page)}: ${await page.words()}` });
  const dialog = (page, name) => page.waits(`the card ${name}`, (n) => document.documentElement.dataset.dialog === n, name);
  const stored = (page, name) => page.evaluate((n) => localStorage.getItem(`wsproxy.${n}`), name);
  const visible = (page, selector) => page.evaluate((s) => (document.querySelector(s)?.getClientRects().length ?? 0) > 0, selector);
  const pressed = (page, selector) => page.evaluate((s) => document.querySelector(s).getAttribute('aria-pressed'), selector);
  const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
  const textOf = (page, selector) => page.evaluate((s) => document.querySelector(s).textContent, selector);

  /** Opens a panel of the bar, closing the one that is open. */
  async function panel(page, name) {
    const now = await page.evaluate(() => document.documentElement.dataset.panel);
    if (now) await page.click(`#${now}-close`);
    if (!(await visible(page, '#toolbar-panel'))) await page.click('#toolbar-toggle');
    await page.click(`#${name}-toggle`);
    await page.waits(`the panel ${name}`, (n) => document.documentElement.dataset.panel === n, name);
  }

  /** Nothing that can be used lies outside the window. */
  async function fits(page, what) {
    const outside = await page.evaluate(() => [...document.querySelectorAll('.panel:not([hidden]), #toolbar-panel, #dialog')]
      .map((each) => [each.id, each.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0 && (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1))
      .map(([id, box]) => `${id} ${Math.round(box.left)},${Math.round(box.top)} to ${Math.round(box.right)},${Math.round(box.bottom)} of ${innerWidth}x${innerHeight}`));
    assert.deepEqual(outside, [], what);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what}: scrolls sideways`);
  }

  let witnessed;
  for (const [label, size] of Object.entries(sizes)) {
    test(`${label}: every panel opens within the window and closes; Disconnect ends, Connect again connects`, async (t) => {
      const page = await openConnected(t, machineProxy, '', { size });
      for (const name of ['view', 'keys', 'clipboard', 'power', 'info', 'settings']) {
        await panel(page, name);
        await fits(page, name);
        await page.press('Escape');
        await page.waits(`${name} closed`, () => !document.documentElement.dataset.panel);
      }
      assert.equal(await textOf(page, '#desktop-name'), 'Grey machine');
      await page.click('#disconnect');
      await endsWith(page, 'user');
      await fits(page, 'the card of the end');
      await page.click('#reconnect');
      await page.reaches('connected');
    });

    test(`${label}: the view is fitted, pixel by pixel, resized remotely, clipped; the choice is stored`, async (t) => {
      const page = await openConnected(t, proxy, '', { size });
      const box = () => page.canvasBox();
      for (const [mode, fitting] of [
        ['scale', async () => (await box()).width <= size.width && Math.abs((await box()).width / (await box()).height - 1024 / 768) < 0.02],
        ['off', async () => (await box()).width >= 1023],
        ['remote', async () => (await desktop.picture()).width === size.width && (await desktop.picture()).height === size.height],
      ]) {
        await panel(page, 'view');
        await page.click(`#resize-${mode}`);
        await until(`the desktop as with ${mode}`, fitting, { every: 50, last: async () => JSON.stringify(await box()) });
        assert.equal(await pressed(page, `#resize-${mode}`), 'true');
        assert.equal(await stored(page, 'resize'), mode);
      }
      const other = { width: size.width - 40, height: size.height - 60 };
      await page.resize(other);
      await until('the server\'s screen to follow the window', async () => (await desktop.picture()).height === other.height, { every: 50 });
      await panel(page, 'view');
      await page.click('#resize-off');
      // Larger than either window again, so that there is something to clip.
      await desktop.run('xrandr', ['--fb', '1024x768', '--output', 'VNC-0', '--mode', '1024x768']);
      await until('the server\'s old size', async () => (await desktop.picture()).width === 1024, { every: 50 });
      await page.resize({ width: 360, height: 500 });
      await page.click('#view-clip');
      await page.waits('a canvas no larger than the window', () => document.querySelector('#screen canvas').getBoundingClientRect().width <= innerWidth);
      assert.equal(await stored(page, 'view_clip'), 'true');
      await page.click('#view-close');
      const offered = await page.waits('the button for moving', () => {
        const pan = document.querySelector('#pan');
        return pan.hidden ? null : pan.getAttribute('aria-pressed');
      });
      assert.equal(offered, 'false');
      if (!(await visible(page, '#toolbar-panel'))) await page.click('#toolbar-toggle');
      await page.click('#pan');
      assert.equal(await pressed(page, '#pan'), 'true');
    });

    test(`${label}: combinations and held keys arrive`, async (t) => {
      if (!witnessed) {
        const own = await startTigerVnc(scope, { width: 800, height: 600 });
        witnessed = { keys: await own.startKeyWitness(), at: await Proxy.start(scope, own.port) };
      }
      const { keys } = witnessed;
      const page = await openConnected(t, witnessed.at, '?resize=scale', { size });
      let from = keys().length;
      const arrives = async (expected) => {
        await until(`the keys ${expected}`, () => keys().length >= from + expected.split(' ').length, { last: () => keys().slice(from).join(' ') });
        assert.equal(keys().slice(from).join(' '), expected);
        from = keys().length;
      };
      await panel(page, 'keys');
      for (const [selector, expected] of [
        ['#send-ctrl-alt-del', '+Control_L +Alt_L +Delete -Delete -Alt_L -Control_L'],
        ['[data-keys="Tab"]', '+Tab -Tab'],
        ['[data-keys="Esc"]', '+Escape -Escape'],
        ['[data-keys="Alt+Tab"]', '+Alt_L +Tab -Tab -Alt_L'],
        ['[data-keys="Alt+F4"]', '+Alt_L +F4 -F4 -Alt_L'],
        ['[data-keys="Ctrl+Esc"]', '+Control_L +Escape -Escape -Control_L'],
        ['[data-keys="PrtScr"]', '+Print -Print'],
      ]) {
        await page.click(selector);
        await arrives(expected);
      }
      for (const [id, name] of [['ctrl', 'Control_L'], ['alt', 'Alt_L'], ['shift', 'Shift_L'], ['windows', 'Super_L']]) {
        await page.click(`#hold-${id}`);
        await arrives(`+${name}`);
        assert.equal(await pressed(page, `#hold-${id}`), 'true');
        await page.click(`#hold-${id}`);
        await arrives(`-${name}`);
      }
      // The desktop has the keyboard while a key is held.
      await page.click('#hold-ctrl');
      await page.press('c');
      await arrives('+Control_L +c -c');
      await panel(page, 'settings');
      await page.click('#setting-view_only');
      await arrives('-Control_L');
    });

    test(`${label}: letters of all kinds go through the clipboard panel both ways`, async (t) => {
      const page = await openConnected(t, proxy, '', { size });
      await panel(page, 'clipboard');
      for (const text of [`日本語 кириллица ${label}`, 'العربية ß\n😀']) {
        await page.write('#clipboard-text', text);
        let seen;
        await until('the page\'s text in the server\'s clipboard', async () => (seen = await desktop.clipboard()) === text, { every: 100, last: () => JSON.stringify(seen) });
      }
      desktop.copy(`von drüben 中文 ${label}`);
      await page.waits('the server\'s text in the page', (text) => document.querySelector('#clipboard-text').value === text, `von drüben 中文 ${label}`);
      await page.click('#clipboard-copy');
      await page.click('#clipboard-clear');
      assert.equal(await page.evaluate(() => document.querySelector('#clipboard-text').value), '');
      await page.keyboard.down('Control');
      await page.press('v');
      await page.keyboard.up('Control');
      await page.waits('what Copy had copied', (text) => document.querySelector('#clipboard-text').value === text, `von drüben 中文 ${label}`);
    });

    test(`${label}: the status panel has numbers`, async (t) => {
      const page = await openConnected(t, proxy, '', { size });
      await panel(page, 'info');
      const rows = { name: /^Office desktop/, size: /^\d+ × \d+$/, proxy: new RegExp(`^127\\.0\\.0\\.1:${proxy.port}, `), roundTrip: /^\d+ ms$/, frames: /^\d+$/, received: /^[\d.]+ [kM]?B \(/, sent: /^[\d.]+ [kM]?B \(/, encoding: /^(Tight|ZRLE|Raw|JPEG|CopyRect|Hextile|H\.264|RRE|Zlib)/, time: /^00:00:\d\d$/ };
      let seen;
      await until('each row', async () => {
        seen = await page.evaluate((names) => Object.fromEntries(names.map((name) => [name, document.querySelector(`#info-${name}`)?.textContent ?? ''])), Object.keys(rows));
        return Object.entries(rows).every(([name, pattern]) => pattern.test(seen[name]));
      }, { every: 100, last: () => JSON.stringify(seen) });
    });

    test(`${label}: what is chosen in the settings is stored and there again`, async (t) => {
      const page = await open(t, proxy, 'vnc.html', { size });
      await dialog(page, 'connect');
      await page.click('#connect-form .open-settings');
      await page.click('#settings-advanced summary');
      await fits(page, 'settings');
      const choices = {
        quality: '3', compression: '8', view_only: true, show_dot: true, bell: false, reconnect: true, reconnect_delay: '1234', controlbar_pos: 'bottom',
        shared: false, path: 'other', host: 'h.test', port: '1234', encrypt: true, repeaterID: '77', logging: 'error', lang: 'de',
      };
      const set = (name, value) => page.evaluate(([n, v]) => {
        const control = document.querySelector(`#setting-${n}`);
        if (typeof v === 'boolean') control.checked = v;
        else control.value = v;
        control.dispatchEvent(new Event('input', { bubbles: true }));
        control.dispatchEvent(new Event('change', { bubbles: true }));
      }, [name, value]);
      for (const [name, value] of Object.entries(choices)) {
        await set(name, value);
        assert.equal(await stored(page, name), name === 'bell' ? 'off' : String(value));
      }
      assert.equal(await textOf(page, '#connect'), 'Verbinden');
      await page.page.reload();
      await dialog(page, 'connect');
      for (const [name, value] of Object.entries(choices)) {
        const now = await page.evaluate(([n, isFlag]) => document.querySelector(`#setting-${n}`)[isFlag ? 'checked' : 'value'], [name, typeof value === 'boolean']);
        assert.equal(now, value, name);
      }
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    });

    test(`${label}: the screenshot is a PNG of the whole desktop; the copied link has no secret`, async (t) => {
      const page = await openConnected(t, machineProxy, '?resize=scale&username=uuu&path=websockify%3Ftoken%3Dttt#password=ppp&quality=4', { size });
      await panel(page, 'view');
      const { name, bytes } = await page.download(() => page.click('#screenshot'));
      assert.match(name, /^Grey_machine-[\d-]+\.png$/);
      assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
      assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [640, 480]);
      await page.click('#copy-link');
      await page.waits('the note that it is copied', () => /Link copied/.test(document.querySelector('#status').textContent));
      await panel(page, 'clipboard');
      await page.click('#clipboard-text');
      await page.keyboard.down('Control');
      await page.press('v');
      await page.keyboard.up('Control');
      const link = await page.waits('the link pasted', () => document.querySelector('#clipboard-text').value);
      assert.equal(link, `${machineProxy.url}?resize=scale&path=websockify#quality=4`);
    });

    test(`${label}: the bar is dragged to each side, and the side is stored`, async (t) => {
      const page = await openConnected(t, machineProxy, '?resize=scale', { size });
      for (const [side, x, y] of [['top', 0.5, 0.01], ['right', 0.99, 0.5], ['bottom', 0.5, 0.99], ['left', 0.01, 0.5]]) {
        const at = await page.evaluate(() => {
          const { left, top, width, height } = document.querySelector('#toolbar-toggle').getBoundingClientRect();
          return { x: Math.round(left + width / 2), y: Math.round(top + height / 2) };
        });
        await page.mouse.move(at.x, at.y);
        await page.mouse.down();
        await page.mouse.move(Math.round(size.width / 2), Math.round(size.height / 2), { steps: 3 });
        await page.mouse.move(Math.round(size.width * x), Math.round(size.height * y), { steps: 3 });
        await page.mouse.up();
        await page.waits(`the bar at the ${side}`, (s) => document.querySelector('#toolbar').dataset.side === s, side);
        assert.equal(await stored(page, 'controlbar_pos'), side);
        assert.equal(await visible(page, '#toolbar-panel'), false, 'a drag is no click');
        await panel(page, 'settings');
        await fits(page, `the bar at the ${side}`);
        assert.equal(await page.evaluate(() => document.querySelector('#setting-controlbar_pos').value), side);
        await page.press('Escape');
        await page.press('Escape');
        await page.waits('the bar closed', () => document.querySelector('#toolbar-panel').hidden);
      }
    });
  }

  test('Ctrl+Alt+Shift leads out of the desktop, arrows along the bar, Escape back', async (t) => {
    const page = await openConnected(t, machineProxy);
    assert.equal(await focused(page), 'CANVAS');
    for (const key of ['Control', 'Alt', 'Shift']) await page.keyboard.down(key);
    for (const key of ['Shift', 'Alt', 'Control']) await page.keyboard.up(key);
    await until('the focus on the bar', async () => (await focused(page)) === 'view-toggle', { last: () => focused(page) });
    await page.press('ArrowDown');
    assert.equal(await focused(page), 'keys-toggle');
    await page.press('Enter');
    assert.ok(await visible(page, '#keys-panel'));
    await page.press('Escape');
    assert.equal(await focused(page), 'keys-toggle');
    await page.press('Escape');
    assert.equal(await focused(page), 'CANVAS');
    await until('every key released', () => {
      const down = new Set();
      for (const [key, isDown] of machine.seen.keys) down[isDown ? 'add' : 'delete'](key);
      return machine.seen.keys.length >= 6 && down.size === 0;
    }, { last: () => JSON.stringify(machine.seen.keys) });
  });

  test('an open bar that nobody uses closes by itself', async (t) => {
    const page = await openConnected(t, machineProxy);
    // Its five seconds in a quarter of one.
    await page.evaluate(() => {
      const { setTimeout: slow } = window;
      window.setTimeout = (act, ms, ...rest) => slow(act, ms / 20, ...rest);
    });
    await page.click('#toolbar-toggle');
    assert.ok(await visible(page, '#toolbar-panel'));
    await page.mouse.move(700, 400);
    await page.waits('the bar closed', () => document.querySelector('#toolbar-panel').hidden);
  });

  test('view only chosen while connected takes the keys, the clipboard and the power away, and gives them back', async (t) => {
    const page = await openConnected(t, machineProxy);
    const inputs = ['#keys-toggle', '#clipboard-toggle', '#power-toggle'];
    await panel(page, 'settings');
    for (const selector of inputs) assert.ok(await visible(page, selector), selector);
    await page.click('#setting-view_only');
    for (const selector of inputs) assert.ok(!(await visible(page, selector)), selector);
    assert.equal(await stored(page, 'view_only'), 'true');
    await page.click('#setting-view_only');
    for (const selector of inputs) assert.ok(await visible(page, selector), selector);
  });

  test('the power panel asks by a second press, then the server is told', async (t) => {
    const page = await openConnected(t, machineProxy);
    machine.seen.power.length = 0;
    for (const [name, code] of [['shutdown', 2], ['reboot', 3], ['reset', 4]]) {
      await panel(page, 'power');
      await page.click(`#power-${name}`);
      await page.waits('the question', () => document.querySelector('.danger') !== null);
      assert.ok(!machine.seen.power.includes(code));
      await page.click(`#power-${name}`);
      await until(`xvp ${code}`, () => machine.seen.power.includes(code), { last: () => machine.seen.power });
    }
    assert.deepEqual(machine.seen.power, [2, 3, 4]);
  });

  test('the letters of a German and a Japanese keyboard arrive', async (t) => {
    const witnessed = await openConnected(t, machineProxy);
    machine.seen.keys.length = 0;
    await witnessed.key('ß', 'Minus');
    await witnessed.key('日', 'KeyA');
    const numbers = [[0xdf, true], [0xdf, false], [0x10065e5, true], [0x10065e5, false]];
    await until('both letters', () => machine.seen.keys.length >= 4, { last: () => JSON.stringify(machine.seen.keys) });
    assert.deepEqual(machine.seen.keys, numbers);

    // Into a real terminal. The x comes first: it misses the first key of all when the server has to invent a key for it.
    const own = await startTigerVnc(t, { width: 800, height: 600 });
    const file = await own.startTyping();
    const page = await openConnected(t, await Proxy.start(t, own.port));
    const box = await page.canvasBox();
    await page.mouse.click(Math.round(box.left + 200), Math.round(box.top + 200));
    const letters = [
      ['x', 'KeyX'], ['ä', 'Quote'], ['ö', 'Semicolon'], ['ü', 'BracketLeft'], ['ß', 'Minus'], ['Ä', 'Quote'], ['€', 'KeyE'], ['@', 'KeyQ'], ['z', 'KeyY'],
      ['日', 'KeyA'], ['本', 'KeyB'], ['ひ', 'KeyV'], ['カ', 'KeyT'], ['¥', 'IntlYen'],
    ];
    for (const [key, code] of letters) await page.key(key, code);
    await page.press('Enter');
    const expected = `${letters.map(([key]) => key).join('')}\n`;
    await until(`${expected.trim()} in the terminal`, () => readFileSync(file, 'utf8') === expected, { last: () => JSON.stringify(readFileSync(file, 'utf8')) });
  });

  test('Ctrl+Alt+F1 to F12 are sent', async (t) => {
    const page = await openConnected(t, machineProxy);
    await panel(page, 'keys');
    await page.click('#keys-panel summary');
    machine.seen.keys.length = 0;
    const expected = [];
    for (let number = 1; number <= 12; number++) {
      await page.click(`[data-keys="Ctrl+Alt+F${number}"]`);
      const chord = [0xffe3, 0xffe9, 0xffbd + number];
      expected.push(...chord.map((key) => [key, true]), ...chord.reverse().map((key) => [key, false]));
    }
    await until('all of them', () => machine.seen.keys.length >= expected.length, { last: () => JSON.stringify(machine.seen.keys) });
    assert.deepEqual(machine.seen.keys, expected);
  });

  test('quality, compression, shared and repeaterID are what the server is told; show_dot draws a dot', async (t) => {
    const repeater = await startRfbServer(t, { repeater: true });
    const page = await openConnected(t, await Proxy.start(t, repeater.port), '?quality=8&compression=5&shared=0&show_dot=1#repeaterID=4711');
    assert.equal(repeater.seen.repeater, 'ID:4711');
    assert.equal(repeater.seen.shared, false);
    assert.ok(repeater.seen.encodings.includes(-32 + 8) && repeater.seen.encodings.includes(-256 + 5), String(repeater.seen.encodings));
    assert.match(await page.evaluate(() => document.querySelector('#screen canvas').style.cursor), /^url\(/);
    await panel(page, 'settings');
    await page.click('#setting-show_dot');
    assert.doesNotMatch(await page.evaluate(() => document.querySelector('#screen canvas').style.cursor), /^url\(/);
    await page.evaluate(() => {
      const range = document.querySelector('#setting-quality');
      range.value = '1';
      range.dispatchEvent(new Event('change'));
    });
    await until('the new quality', () => repeater.seen.encodings.includes(-32 + 1));
    const plain = await openConnected(t, machineProxy);
    assert.equal(machine.seen.shared, true);
    assert.ok(machine.seen.encodings.includes(-32 + 6) && machine.seen.encodings.includes(-256 + 2), String(machine.seen.encodings));
    assert.doesNotMatch(await plain.evaluate(() => document.querySelector('#screen canvas').style.cursor), /^url\(/);
  });

  test('bell=on sounds, bell=off does not; keep_device_awake asks for it and lets go; logging=debug talks', async (t) => {
    const witness = () => {
      window.rung = 0;
      window.locks = [];
      window.said = 0;
      window.AudioContext = class {
        constructor() {
          window.rung += 1;
          throw new Error('no sound here');
        }
      };
      if (navigator.wakeLock) {
        navigator.wakeLock.request = async (kind) => {
          window.locks.push(kind);
          return { released: false, release: async () => window.locks.push('released') };
        };
      }
      console.debug = () => (window.said += 1);
    };
    for (const [rest, rings, locks, talks] of [['', 1, [], false], ['?bell=off&keep_device_awake=1&logging=debug', 0, ['screen'], true]]) {
      const page = await open(t, machineProxy, `vnc.html${rest}`);
      await page.reaches('idle');
      await page.evaluate(witness);
      await page.click('#connect');
      await page.reaches('connected');
      await machine.ring('after the bell');
      await page.waits('what comes after the bell', () => document.querySelector('#clipboard-text').value === 'after the bell');
      const { rung, said } = await page.evaluate(() => ({ rung: window.rung, said: window.said }));
      assert.equal(rung, rings, `bells with ${rest}`);
      assert.equal(said > 0, talks, `debug messages with ${rest}: ${said}`);
      const can = await page.evaluate(() => 'wakeLock' in navigator);
      if (can) assert.deepEqual(await page.evaluate(() => window.locks), locks);
      await page.click('#toolbar-toggle');
      await page.click('#disconnect');
      await endsWith(page, 'user');
      if (can && locks.length > 0) assert.deepEqual(await page.evaluate(() => window.locks), [...locks, 'released']);
    }
  });

  test('controlbar_pos, view_clip, lang and a right-to-left language show', async (t) => {
    const page = await openConnected(t, proxy, '?controlbar_pos=right&view_clip=1&lang=ja', { size: { width: 500, height: 500 } });
    assert.equal(await page.evaluate(() => document.querySelector('#toolbar').dataset.side), 'right');
    assert.ok((await page.canvasBox()).width <= 500);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ja');
    assert.equal(await page.evaluate(() => document.querySelector('#pan').hidden), false);
    const arabic = await open(t, proxy, 'vnc.html?lang=ar', { size: sizes.phone });
    await arabic.reaches('idle');
    assert.equal(await arabic.evaluate(() => document.documentElement.dir), 'rtl');
    await arabic.click('#connect');
    await arabic.reaches('connected');
    await panel(arabic, 'settings');
    await fits(arabic, 'settings from right to left');
  });

  test('host, port, path and token: another proxy is asked for just that address; 1008 is "not allowed"', async (t) => {
    const other = await startClosingProxy(t, 1008, 'token expired');
    const page = await open(t, proxy, `?host=127.0.0.1&port=${other.port}&path=deep/ws&reconnect=1&token=a%26b`, { expected: /^asks 127|^Failed when/ });
    await endsWith(page, 'notAllowed');
    assert.deepEqual(other.urls, ['/deep/ws?token=a%26b']);
    assert.match(await page.words(), /token expired/);
    assert.equal(await visible(page, '#countdown'), false, 'no retry after a refusal');
    assert.doesNotMatch(await page.evaluate(() => window.location.href), /token/);
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage })), '{}');
  });

  test('secrets of the link are nowhere but in memory: sent again when the proxy is back, gone after a reload, which is said', async (t) => {
    const first = await Proxy.start(t, machine.port);
    const front = await startReverseProxy(t, first.port, '/p/', { refuse: (address) => !address.includes('token=') && '403 Forbidden' });
    const folder = `http://127.0.0.1:${front.port}/p/`;
    const page = await openConnected(t, folder, '?token=sesame-1&reconnect=1&reconnect_delay=300&path=websockify%3Fa%3D1%26password%3Dsesame-2#password=sesame-3&quality=4', { expected: ends });
    const address = `${folder}?reconnect=1&reconnect_delay=300&path=websockify%3Fa%3D1#quality=4`;
    const kept = () => page.evaluate(() => [window.location.href, document.referrer, JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]), document.cookie].join(' '));
    assert.equal(await page.evaluate(() => window.location.href), address);
    assert.doesNotMatch(await kept(), /sesame/);
    if (page.entries) assert.doesNotMatch(JSON.stringify(await page.entries()), /sesame/);
    await first.stop();
    await page.reaches('disconnected');
    await Proxy.start(t, machine.port, { listen: `127.0.0.1:${first.port}` });
    await page.reaches('connected', { timeout: 20_000 });
    assert.ok(front.upgrades.length >= 2);
    assert.deepEqual([...new Set(front.upgrades)], ['/p/websockify?a=1&password=sesame-2&token=sesame-1']);
    await page.click('#toolbar-toggle');
    await page.click('#disconnect');
    await endsWith(page, 'user');
    // What the settings show of it, and store.
    await page.click('#ended-form .open-settings');
    await page.click('#settings-advanced summary');
    assert.equal(await page.evaluate(() => document.querySelector('#setting-path').value), 'websockify?a=1');
    await page.write('#setting-path', 'websockify?b=2');
    await page.press('Tab');
    await until('the path stored', async () => (await stored(page, 'path')) === 'websockify?b=2');
    assert.doesNotMatch(await page.evaluate(() => document.documentElement.outerHTML), /sesame/);
    assert.doesNotMatch(await kept(), /sesame/);
    front.upgrades.length = 0;
    await page.page.reload();
    await endsWith(page, 'refusedByProxy');
    assert.deepEqual(front.upgrades, ['/p/websockify?a=1']);
    assert.match(await page.words(), /Open that link again/);
    await page.page.goto('about:blank');
    // Not the drivers' own ways: a page that Firefox has kept does not load again.
    await page.evaluate(() => void setTimeout(() => history.back()));
    await until('the address without secrets', async () => (await page.evaluate(() => window.location.href).catch(() => null)) === address);
  });

  for (const [code, reason, kind] of [
    [1000, 'ended by the administrator', 'admin'], [1013, 'too many connections', 'busy'], [1001, 'the connection to the server was lost', 'serverLost'], [1002, 'bad frame', 'badFrames'],
  ]) {
    test(`a close with ${code} "${reason}" is said to be ${kind}`, async (t) => {
      const other = await startClosingProxy(t, code, reason);
      const page = await open(t, proxy, `?host=127.0.0.1&port=${other.port}`, { expected: /^asks 127|^Failed when/ });
      await endsWith(page, kind);
      assert.match(await page.words(), new RegExp(reason));
    });
  }

  test('the proxy is killed: the connection is lost; it stays away: the proxy cannot be reached', async (t) => {
    const daemon = start(t, binary, ['127.0.0.1:0', `127.0.0.1:${desktop.port}`]);
    const url = await until('the address', () => /^open (\S+)$/m.exec(daemon.output)?.[1], { last: () => daemon.output });
    const page = await openConnected(t, url, '', { expected: ends });
    daemon.kill('SIGKILL');
    await endsWith(page, 'lost');
    await page.click('#reconnect');
    await endsWith(page, 'noProxy');
    assert.match(await page.words(), /127\.0\.0\.1/);
  });

  test('the proxy is shut down: the page says so; with reconnect it counts down and is back with the proxy', async (t) => {
    const first = await Proxy.start(t, desktop.port);
    const page = await openConnected(t, first, '?reconnect=1&reconnect_delay=800', { expected: ends });
    await first.stop();
    await endsWith(page, 'shutdown');
    await page.waits('the countdown', () => /\d/.test(document.querySelector('#countdown').textContent));
    await endsWith(page, 'noProxy');
    await Proxy.start(t, desktop.port, { listen: `127.0.0.1:${first.port}` });
    await page.reaches('connected', { timeout: 20_000 });
  });

  test('reconnecting can be stopped', async (t) => {
    const first = await Proxy.start(t, desktop.port);
    const page = await openConnected(t, first, '?reconnect=1&reconnect_delay=30000', { expected: ends });
    await first.stop();
    await endsWith(page, 'shutdown');
    await page.click('#cancel-reconnect');
    await page.waits('no countdown', () => document.querySelector('#countdown').hidden && document.querySelector('#cancel-reconnect').hidden);
    assert.equal(await page.state(), 'disconnected');
  });

  test('the server goes: the page says so, then that it cannot be reached, and is back with the server', async (t) => {
    const own = await startTigerVnc(t, { width: 640, height: 480 });
    const page = await openConnected(t, await Proxy.start(t, own.port), '?reconnect=1&reconnect_delay=500', { expected: ends });
    own.server.kill('SIGKILL');
    await page.reaches('disconnected');
    assert.match(await ending(page), /^server(Lost)?$/);
    await endsWith(page, 'unreachable');
    assert.match(await page.words(), /refused/);
    await startTigerVnc(t, { width: 640, height: 480, args: ['-rfbport', String(own.port)] });
    await page.reaches('connected', { timeout: 20_000 });
  });

  test('the server cannot be reached: said with the reason and what to do', async (t) => {
    const page = await open(t, await Proxy.start(t, await refusedPort()), '', { expected: ends, size: sizes.phone });
    await endsWith(page, 'unreachable');
    await fits(page, 'the card of the end');
    assert.match(await page.words(), /connection refused/i);
    assert.ok(await visible(page, '#dialog-advice'));
  });

  test('what answers is no VNC server: said so', async (t) => {
    const web = await startGreeter(t, 'HTTP/1.1 400 Bad Request\r\n\r\n');
    const page = await open(t, await Proxy.start(t, web.port), '', { expected: ends });
    await endsWith(page, 'notVnc');
  });

  test('data that cannot be unpacked ends the session, and it is said why', async (t) => {
    const own = await startRfbServer(t);
    const page = await openConnected(t, await Proxy.start(t, own.port), '', { expected: ends });
    await own.spoil();
    await endsWith(page, 'protocol');
    assert.match(await page.words(), /zlib|inflate/i);
  });

  test('a server that says nothing: the steps show where it waits, Cancel ends it', async (t) => {
    const silent = await startGreeter(t, '');
    const page = await open(t, await Proxy.start(t, silent.port));
    await dialog(page, 'connecting');
    await page.waits('the step "server"', () => document.querySelector('[data-progress="now"]')?.dataset.step === 'server');
    await page.click('#cancel');
    await endsWith(page, 'cancelled');
  });

  test('a wrong password is asked for again, the right one is kept for connecting again, and nothing is stored', async (t) => {
    const own = await startTigerVnc(t, { password: 'sesame42', width: 640, height: 480 });
    const page = await open(t, await Proxy.start(t, own.port), '', { expected: ends, size: sizes.phone });
    await dialog(page, 'credentials');
    await page.write('#password', 'not this');
    await page.click('#password-show');
    assert.equal(await page.evaluate(() => document.querySelector('#password').type), 'text');
    await fits(page, 'the card of the password');
    await page.click('#credentials-submit');
    await endsWith(page, 'password');
    await page.click('#reconnect');
    await dialog(page, 'credentials');
    await page.write('#password', 'sesame42');
    await page.press('Enter');
    await page.reaches('connected');
    await page.click('#toolbar-toggle');
    await page.click('#disconnect');
    await endsWith(page, 'user');
    await page.click('#reconnect');
    await page.reaches('connected');
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })), '{}');
  });

  test('a server shows its key: Enter rejects it; approved, the server asks for the password and connects', async (t) => {
    const own = await startRfbServer(t, { ra2: 'sesame42' });
    const page = await open(t, await Proxy.start(t, own.port), '', { size: sizes.phone, expected: ends });
    await dialog(page, 'identity');
    assert.equal(await textOf(page, '#fingerprint'), own.fingerprint);
    await fits(page, 'the card of the identity');
    assert.equal(await focused(page), 'identity-reject');
    await page.press('Enter');
    await endsWith(page, 'identity');
    await page.click('#reconnect');
    await dialog(page, 'identity');
    await page.click('#identity-approve');
    await dialog(page, 'credentials');
    assert.ok(!(await visible(page, '#username')));
    await page.write('#password', 'wrong');
    await page.press('Enter');
    await endsWith(page, 'password');
    await page.click('#reconnect');
    await dialog(page, 'identity');
    await page.click('#identity-approve');
    await dialog(page, 'credentials');
    await page.write('#password', 'sesame42');
    await page.press('Enter');
    await page.reaches('connected');
    assert.equal((await page.canvas()).width, 640);
  });

  test('a server wants name and password: asked for, wrong ones are said to be wrong, right ones connect; a link can give them', async (t) => {
    const own = await startRfbServer(t, { plain: { username: 'zoë', password: 'sésame' } });
    const signing = await Proxy.start(t, own.port);
    const page = await open(t, signing, '', { expected: ends });
    await dialog(page, 'credentials');
    assert.equal(await focused(page), 'username');
    await page.write('#username', 'zoë');
    await page.write('#password', 'wrong');
    await page.click('#credentials-submit');
    await endsWith(page, 'signin');
    await page.click('#reconnect');
    await dialog(page, 'credentials');
    assert.equal(await page.evaluate(() => document.querySelector('#username').value), 'zoë', 'the name is remembered');
    assert.equal(await focused(page), 'password');
    await page.write('#password', 'sésame');
    await page.press('Enter');
    await page.reaches('connected');
    assert.deepEqual(own.seen.signin, [['zoë', 'wrong'], ['zoë', 'sésame']]);
    const given = await openConnected(t, signing, `?username=${encodeURIComponent('zoë')}#password=${encodeURIComponent('sésame')}`);
    assert.doesNotMatch(await given.evaluate(() => decodeURIComponent(window.location.href)), /sésame/);
  });

  test('Caps Lock is pointed out while the password is typed', async (t) => {
    const own = await startTigerVnc(t, { password: 'sesame42', width: 640, height: 480 });
    const page = await open(t, await Proxy.start(t, own.port));
    await dialog(page, 'credentials');
    // No driver can lock capitals.
    const type = (locked) => page.evaluate((on) => document.querySelector('#password')
      .dispatchEvent(new KeyboardEvent('keydown', { key: 'A', modifierCapsLock: on, bubbles: true })), locked);
    for (const locked of [false, true, false]) {
      await type(locked);
      assert.equal(await visible(page, '#caps-lock'), locked);
    }
    await type(true);
    await page.click('#credentials-cancel');
    await endsWith(page, 'cancelled');
  });

  test('full screen: the button takes the window there and back, Disconnect leaves it', async (t) => {
    const page = await openConnected(t, machineProxy, '?resize=scale');
    const full = (wanted) => page.waits(`full screen ${wanted}`, (w) => (document.fullscreenElement !== null) === w
      && document.querySelector('#fullscreen').getAttribute('aria-pressed') === String(w), wanted);
    for (const wanted of [true, false, true]) {
      await page.click('#toolbar-toggle');
      await page.click('#fullscreen');
      await full(wanted);
      await page.waits('the desktop has the keyboard', () => document.activeElement.tagName === 'CANVAS');
      assert.ok(!(await visible(page, '#toolbar-panel')));
    }
    await page.click('#toolbar-toggle');
    await page.click('#disconnect');
    await endsWith(page, 'user');
    await full(false);
  });

  test('leaving the page asks while a desktop is there, but not while one only watches or is disconnected', async (t) => {
    const page = await open(t, machineProxy, 'vnc.html');
    const asks = () => page.evaluate(() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true })));
    await page.reaches('idle');
    assert.ok(!(await asks()));
    await page.click('#connect');
    await page.reaches('connected');
    assert.ok(await asks());
    await panel(page, 'settings');
    await page.click('#setting-view_only');
    assert.ok(!(await asks()));
    await page.click('#setting-view_only');
    assert.ok(await asks());
    await page.click('#settings-close');
    await page.click('#disconnect');
    await endsWith(page, 'user');
    assert.ok(!(await asks()));
  });

  test('encrypt, host and port: a page without TLS reaches another proxy over TLS', async (t) => {
    const { cert, key } = await makeCertificate(t);
    const secure = await Proxy.start(t, machine.port, { args: ['--cert', cert, '--key', key, '--ssl-only', '--origin', new URL(proxy.url).origin] });
    const page = await openConnected(t, proxy, `?host=localhost&port=${secure.port}&encrypt=1`, { expected: /^asks localhost/ });
    await panel(page, 'info');
    assert.match(await page.waits('the row', () => document.querySelector('#info-proxy')?.textContent), new RegExp(`^localhost:${secure.port}, encrypted$`));
    await page.click('#info-close');
  });

  test('the page\'s files written out, on another web server whose defaults.json never comes, show a proxy elsewhere', async (t) => {
    const folder = path.join(tempDir(t), 'page');
    const made = await run(t, 'make', ['-s', 'page', `DESTDIR=${folder}`], { cwd: top, timeout: 60_000 });
    assert.equal(made.code, 0, made.stderr);
    writeFileSync(path.join(folder, 'mandatory.json'), '{"quality": 3}');
    const web = await startWebServer(t, folder, { silent: ['defaults.json'] });
    const elsewhere = await Proxy.start(t, machine.port, { args: ['--origin', `http://127.0.0.1:${web.port}`] });
    // The small one waits for no file; what the server was told last is then the large one's.
    const large = open(t, `http://127.0.0.1:${web.port}/`, `?host=127.0.0.1&port=${elsewhere.port}`, { expected: /^asks 127|^GET .*defaults/ });
    const small = await openConnected(t, `http://127.0.0.1:${web.port}/vnc_lite.html`, `?host=127.0.0.1&port=${elsewhere.port}`, { expected: /^asks 127/ });
    assert.match(await textOf(small, '#status'), /Grey machine/);
    const page = await large;
    await page.reaches('connected');
    assert.ok(machine.seen.encodings.includes(-32 + 3), 'the other file counts');
    assert.equal(await textOf(page, '#desktop-name'), 'Grey machine');
  });

  test('Cancel also ends the asking why a WebSocket did not open', async (t) => {
    const front = await startReverseProxy(t, proxy.port, '/p/', { refuse: '403 Forbidden', silence: 'HEAD' });
    const page = await open(t, `http://127.0.0.1:${front.port}/p/`, '', { expected: ends });
    await until('the question to the proxy', () => front.silenced() > 0);
    await page.click('#cancel');
    // Far sooner than the question is given up.
    await until('the end', async () => (await ending(page)) === 'cancelled', { timeout: 2000, last: () => ending(page) });
  });

  test('below a prefix of a reverse proxy everything stays below it', async (t) => {
    const front = await startReverseProxy(t, proxy.port, '/desk/top/');
    const page = await openConnected(t, `http://127.0.0.1:${front.port}/desk/top/`);
    assert.deepEqual(front.outside, []);
    assert.ok(page.page.url().endsWith('/desk/top/'));
    const small = await openConnected(t, `http://127.0.0.1:${front.port}/desk/top/vnc_lite.html`);
    assert.equal(await small.evaluate(() => document.documentElement.dataset.page), 'lite');
    assert.deepEqual(front.outside, []);
  });

  test('a proxy that refuses the WebSocket is not taken for one that is away', async (t) => {
    const front = await startReverseProxy(t, proxy.port, '/p/', { refuse: '403 Forbidden' });
    const page = await open(t, `http://127.0.0.1:${front.port}/p/`, '', { expected: ends });
    await endsWith(page, 'refusedByProxy');
  });

  test('the administrator\'s files beside the page: defaults give way, mandatory locks; with --web of the bundle', async (t) => {
    const folder = tempDir(t);
    cpSync(bundle, folder, { recursive: true, filter: (name) => !/defaults|mandatory/.test(name) });
    writeFileSync(path.join(folder, 'defaults.json'), JSON.stringify({ quality: 9, compression: 7, bell: 'off', autoconnect: true }));
    writeFileSync(path.join(folder, 'mandatory.json'), JSON.stringify({ view_only: true, resize: 'scale', compression: 4 }));
    const page = await openConnected(t, await Proxy.start(t, machine.port, { args: ['--web', folder] }), 'vnc.html?quality=1&compression=1#view_only=0&resize=off');
    await panel(page, 'settings');
    const control = (name) => page.evaluate((n) => {
      const { value, checked, disabled } = document.querySelector(`#setting-${n}`);
      return { value, checked, disabled };
    }, name);
    assert.deepEqual(await control('view_only'), { value: 'on', checked: true, disabled: true });
    assert.equal((await control('quality')).value, '1');
    assert.deepEqual([(await control('compression')).value, (await control('compression')).disabled], ['4', true]);
    assert.equal((await control('bell')).checked, false);
    assert.ok(!(await visible(page, '#keys-toggle')));
    await panel(page, 'view');
    assert.ok(await page.evaluate(() => document.querySelector('#resize-off').disabled));
    assert.equal(await pressed(page, '#resize-scale'), 'true');
  });

  test('vnc_lite.html: connects, asks for the password, scales, watches, sends Ctrl+Alt+Del', async (t) => {
    const own = await startTigerVnc(t, { password: 'sesame42', width: 1600, height: 1200 });
    const keys = await own.startKeyWitness();
    const locked = await Proxy.start(t, own.port);
    const asked = await open(t, locked, 'vnc_lite.html?scale=1', { size: sizes.phone });
    await dialog(asked, 'credentials');
    assert.match(await textOf(asked, '#status'), /password/);
    assert.ok(await asked.evaluate(() => document.querySelector('#password').getBoundingClientRect().width > 200), 'room to type on a phone');
    await asked.write('#password', 'sesame42');
    await asked.click('#credentials-submit');
    await asked.reaches('connected');
    await until('a picture within the window', async () => (await asked.canvasBox()).width <= 360);
    await asked.click('#send-ctrl-alt-del');
    await until('Ctrl+Alt+Del', () => keys().includes('+Delete') && keys().length >= 6, { last: () => keys().join(' ') });
    const given = await openConnected(t, locked, 'vnc_lite.html?password=sesame42&view_only=false');
    assert.doesNotMatch(await given.evaluate(() => window.location.href), /sesame/);
    assert.equal(await visible(given, '#send-ctrl-alt-del'), false);
    assert.ok((await given.canvasBox()).width >= 1600);
    const wrong = await open(t, locked, 'vnc_lite.html?password=wrong', { expected: ends });
    await endsWith(wrong, 'password');
  });

  return { scope, browser: () => browser, openConnected, panel, visible };
}

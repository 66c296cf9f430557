// The whole page in Chromium; the scenarios are in support/page_scenarios.mjs. And what only this browser's driver can
// do: touch, and axe-core in both colour schemes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { launchChromium } from './support/browsers.mjs';
import { startTigerVnc } from './support/desktop.mjs';
import { pageScenarios, sizes } from './support/page_scenarios.mjs';
import { startStateProxies, visitStates } from './support/page_states.mjs';
import { Proxy } from './support/proxy.mjs';
import { until } from './support/scope.mjs';

const { browser, scope, openConnected, visible } = pageScenarios(launchChromium);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds, one line each. A colour half faded in would have the wrong contrast. */
async function violations(page, rules) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  return page.evaluate(async (only) => {
    for (const each of document.getAnimations()) if (Number.isFinite(each.effect.getComputedTiming().endTime)) each.finish();
    const found = await window.axe.run(document, { resultTypes: ['violations'], preload: false, ...(only && { runOnly: only }) });
    if (found.passes.length < (only ? 1 : 5)) return [`only ${found.passes.length} rules had something to look at`];
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
  }, rules);
}

// Runs beside the other tests: it computes, while they mostly wait. Opening pages takes time as well: one visit for all looks.
let looks;
test.before(async () => {
  const proxies = await startStateProxies(scope);
  await until('the browser', browser, { timeout: 30_000 }); // hooks do not wait for each other
  const found = {};
  let count = 0;
  const visits = visitStates(browser(), proxies, { size: sizes.desktop }, async (name, page) => {
    count += 1;
    // The scheme changes colours and nothing else.
    for (const [size, colorScheme, rules] of [['phone', 'light'], ['desktop', 'dark', ['color-contrast']], ['desktop', 'light']]) {
      await page.resize(sizes[size]);
      await page.page.emulateMedia({ colorScheme });
      const list = await violations(page, rules);
      if (list.length > 0) found[`${name}, ${size}, ${colorScheme}`] = list;
    }
  });
  looks = visits.then(() => ({ found, count }));
  looks.catch(() => {}); // its test says so
});

test('touch: the on-screen keyboard types words, corrections and other alphabets, with held keys beside it', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const file = await desktop.startTyping();
  const page = await openConnected(t, await Proxy.start(t, desktop.port), '?resize=scale', { size: sizes.phone, touch: true });
  await page.page.tap('#toolbar-toggle');
  await page.page.tap('#keyboard');
  await until('the hidden field', () => page.evaluate(() => document.activeElement.id === 'touch-input'));
  for (const text of ['x echo', ' äß']) await page.keyboard.insertText(text);
  await page.press('Backspace');
  await page.keyboard.insertText('日本');
  await page.press('Enter');
  let seen;
  await until('the text in the terminal', () => (seen = readFileSync(file, 'utf8')) === 'x echo ä日本\n', { last: () => JSON.stringify(seen) });
  await page.page.tap('#keys-toggle');
  await page.page.tap('#hold-ctrl');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'touch-input', 'the keyboard stays');
  await page.keyboard.insertText('d'); // the end of input: the terminal goes
  await page.page.tap('#hold-ctrl');
  await until('the terminal to be gone', async () => (await desktop.run('xwininfo', ['-root', '-tree'])).stdout.includes('0 children') || !(await desktop.run('xwininfo', ['-root', '-tree'])).stdout.includes('XTerm'));
});

test('touch: what can be pressed is at least 44 px large, and a tap clicks where it is', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const page = await openConnected(t, await Proxy.start(t, desktop.port), '?resize=scale', { size: sizes.phone, touch: true });
  await page.page.tap('#toolbar-toggle');
  assert.deepEqual(await violations(page), [], 'the bar with what only touch has');
  await page.page.hover('#keys-toggle'); // what a browser does at the place of the last touch
  const shades = await page.evaluate(() => [...new Set([...document.querySelectorAll('#toolbar-panel button')].map((each) => getComputedStyle(each).backgroundColor))]);
  assert.deepEqual(shades, ['rgba(0, 0, 0, 0)'], 'nothing hovers under a finger that has gone');
  for (const name of ['view', 'keys', 'clipboard', 'info', 'settings']) {
    await page.page.tap(`#${name}-toggle`);
    const small = await page.evaluate(() => [...document.querySelectorAll('button, input, select, summary')]
      .filter((each) => each.checkVisibility())
      .map((each) => (each.type === 'checkbox' ? each.closest('label') : each))
      .map((each) => [each.id || each.textContent, each.getBoundingClientRect()])
      .filter(([, box]) => box.width < 44 || box.height < 44)
      .map(([what, box]) => `${what} ${Math.round(box.width)}x${Math.round(box.height)}`));
    assert.deepEqual(small, [], name);
    await page.page.tap(`#${name}-close`);
  }
  const box = await page.canvasBox();
  await page.page.touchscreen.tap(Math.round(box.left + box.width * 0.75), Math.round(box.top + box.height / 2));
  let pointer;
  await until('the pointer where the finger was', async () => {
    pointer = await desktop.pointer();
    return Math.abs(pointer.x - 600) <= 4 && Math.abs(pointer.y - 300) <= 4;
  }, { last: () => JSON.stringify(pointer) });
  assert.equal(await visible(page, '#toolbar-panel'), false, 'a tap on the desktop closes the bar');
});

/** A window over the whole screen that sees buttons and keys. Gives a function: what it saw so far, `+1` for the left button down. */
async function startWitness(desktop) {
  const { width, height } = await desktop.picture();
  const witness = desktop.start('xev', ['-geometry', `${width}x${height}+0+0`, '-bw', '0', '-event', 'button', '-event', 'keyboard']);
  await until('the window of xev', () => /Outer window is/.test(witness.output) && desktop.run('xdotool', ['search', '--onlyvisible', '--name', 'Event Tester']).then(() => true, () => false));
  const event = /^(?:Button|Key)(Press|Release) event[^]*?(?:button (\d+)|keysym 0x[0-9a-f]+, (\w+)\))/gm;
  return () => [...witness.output.matchAll(event)].map(([, kind, button, key]) => (kind === 'Press' ? '+' : '-') + (button ?? key)).join(' ');
}

test('touch: gestures on the desktop are the mouse\'s: tap, two fingers, long press, drag, scroll, pinch', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const seen = await startWitness(desktop);
  const page = await openConnected(t, await Proxy.start(t, desktop.port), '?resize=scale', { size: sizes.phone, touch: true });
  const box = await page.canvasBox();
  const scale = 800 / box.width;
  const session = await page.page.context().newCDPSession(page.page);
  /** Fingers by their places on the remote screen. */
  const touch = (type, ...places) => session.send('Input.dispatchTouchEvent', {
    type, touchPoints: places.map(([x, y], id) => ({ id, x: Math.round(box.left + x / scale), y: Math.round(box.top + y / scale) })),
  });
  const move = async (from, to) => {
    for (let step = 1; step <= 4; step++) {
      await touch('touchMove', ...from.map(([x, y], finger) => [x + ((to[finger][0] - x) * step) / 4, y + ((to[finger][1] - y) * step) / 4]));
    }
  };
  let before = '';
  const arrives = async (what, pattern) => {
    await until(what, () => pattern.test(seen().slice(before.length).trim()), { last: () => seen().slice(before.length) });
    before = seen();
  };
  const pointerAt = async (x, y) => {
    let pointer;
    await until(`the pointer at ${x},${y}`, async () => {
      pointer = await desktop.pointer();
      return Math.abs(pointer.x - x) <= 4 && Math.abs(pointer.y - y) <= 4;
    }, { last: () => JSON.stringify(pointer) });
  };

  await touch('touchStart', [200, 100]);
  await touch('touchEnd');
  await arrives('a tap as a click', /^\+1 -1$/);
  await pointerAt(200, 100);

  await touch('touchStart', [300, 200], [400, 200]);
  await touch('touchEnd');
  await arrives('a tap of two fingers as a right click', /^\+3 -3$/);

  await touch('touchStart', [600, 400]);
  await arrives('a long press as the right button, held', /^\+3$/);
  await pointerAt(600, 400);
  await touch('touchEnd');
  await arrives('its end', /^-3$/);

  await touch('touchStart', [100, 100]);
  await move([[100, 100]], [[500, 300]]);
  await pointerAt(500, 300);
  await touch('touchEnd');
  await arrives('a drag with the left button', /^\+1 -1$/);

  await touch('touchStart', [300, 150], [400, 150]);
  await move([[300, 150], [400, 150]], [[300, 550], [400, 550]]);
  await touch('touchEnd');
  await arrives('two fingers going down as the wheel turned up', /^(\+4 -4 ?)+$/);

  await touch('touchStart', [380, 300], [420, 300]);
  await move([[380, 300], [420, 300]], [[100, 300], [700, 300]]);
  await touch('touchEnd');
  await arrives('fingers going apart as Control and the wheel', /^\+Control_L \+4 -4 .*-Control_L$/);
});

test('touch: an input method\'s composition arrives as what it ends in', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const file = await desktop.startTyping();
  const page = await openConnected(t, await Proxy.start(t, desktop.port), '?resize=scale', { size: sizes.phone, touch: true });
  await page.page.tap('#toolbar-toggle');
  await page.page.tap('#keyboard');
  await page.waits('the hidden field', () => document.activeElement.id === 'touch-input');
  const session = await page.page.context().newCDPSession(page.page);
  await page.keyboard.insertText('x ');
  for (const text of ['n', 'に', 'にほ', 'にほん']) await session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  await page.keyboard.insertText('日本');
  await page.press('Enter');
  let seen;
  await until('the text in the terminal', () => (seen = readFileSync(file, 'utf8')) === 'x 日本\n', { last: () => JSON.stringify(seen) });
});

test('an input method on a device with keys: shown while it composes, sent when it is done, keys beside it', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const file = await desktop.startTyping();
  const page = await openConnected(t, await Proxy.start(t, desktop.port), '?resize=scale&lang=en', { locale: 'ja-JP' });
  await page.click('#toolbar-toggle');
  await page.click('#keyboard');
  await page.waits('the field in sight', () => document.activeElement.id === 'touch-input' && document.activeElement.getBoundingClientRect().width > 200);
  const session = await page.page.context().newCDPSession(page.page);
  const compose = (text) => session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  const value = () => page.evaluate(() => document.querySelector('#touch-input').value);
  await page.type('x w');
  await page.press('Backspace');
  for (const text of ['k', 'か', 'かん', 'かんじ']) await compose(text);
  assert.equal(await value(), 'かんじ', 'composed here');
  await page.keyboard.insertText('漢字');
  await until('the field empty again', async () => (await value()) === '');
  await page.press('Enter');
  let seen;
  await until('the text in the terminal', () => (seen = readFileSync(file, 'utf8')) === 'x 漢字\n', { last: () => JSON.stringify(seen) });
  await page.keyboard.down('Control');
  await page.press('d'); // the end of input: the terminal goes
  await page.keyboard.up('Control');
  await until('the terminal to be gone', async () => !(await desktop.run('xwininfo', ['-root', '-tree'])).stdout.includes('XTerm'));
  // Who writes key by key has no use for it.
  const plain = await openConnected(t, await Proxy.start(t, desktop.port), '');
  assert.equal(await plain.evaluate(() => document.querySelector('#keyboard').hidden), true);
});

test('the clipboard goes both ways by itself where the browser permits it', async (t) => {
  const desktop = await startTigerVnc(t, { width: 800, height: 600 });
  const proxy = await Proxy.start(t, desktop.port);
  const page = await openConnected(t, proxy, '?resize=scale');
  await page.page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(proxy.url).origin });
  await page.page.bringToFront();
  let seen;
  for (const text of ['von hier: 日本 ✓', 'and again']) {
    await page.evaluate(async (words) => {
      await navigator.clipboard.writeText(words);
      document.activeElement.blur(); // as when one comes back from another window
    }, text);
    await page.mouse.click(640, 450);
    await until('what was copied here, there', async () => (seen = await desktop.clipboard()) === text, { every: 100, last: () => JSON.stringify(seen) });
  }
  for (const text of ['von drüben: кириллица', 'and back']) {
    desktop.copy(text);
    await until('what was copied there, here', async () => (seen = await page.evaluate(() => navigator.clipboard.readText())) === text, { every: 100, last: () => JSON.stringify(seen) });
  }
  assert.equal(await visible(page, '#toolbar-panel'), false, 'no panel was needed');
  assert.equal(await page.evaluate(() => document.querySelector('.news')), null);
});

test('the browser asks before a page with a desktop is left', async (t) => {
  const desktop = await startTigerVnc(t, { width: 640, height: 480 });
  const page = await openConnected(t, await Proxy.start(t, desktop.port));
  const asked = [];
  page.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    return dialog.dismiss();
  });
  await page.mouse.click(300, 300); // browsers ask only for pages that were used
  await page.page.close({ runBeforeUnload: true });
  await until('the question', () => asked.length > 0);
  assert.deepEqual(asked, ['beforeunload']);
  assert.equal(await page.state(), 'connected');
});

test('desktop and phone, light and dark: axe-core finds nothing on any card or panel', async () => {
  const { found, count } = await looks;
  assert.deepEqual(found, {});
  assert.ok(count >= 18, `${count} states`);
});

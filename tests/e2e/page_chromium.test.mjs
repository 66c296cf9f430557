// The whole page in Chromium; the scenarios are in support/page_scenarios.mjs. And what only this browser's driver can
// do: touch, and axe-core in both colour schemes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { launchChromium } from './support/browsers.mjs';
import { startTigerVnc } from './support/desktop.mjs';
import { pageScenarios, sizes } from './support/page_scenarios.mjs';
import { looks, startStateProxies, visitStates } from './support/page_states.mjs';
import { Proxy } from './support/proxy.mjs';
import { until } from './support/scope.mjs';

const { browser, scope, openConnected, visible } = pageScenarios(launchChromium);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds, one line each. A colour half faded in would have the wrong contrast. */
async function violations(page) {
  await page.evaluate(() => {
    for (const each of document.getAnimations()) if (Number.isFinite(each.effect.getComputedTiming().endTime)) each.finish();
  });
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ['violations'] });
    if (found.passes.length < 5) return [`only ${found.passes.length} rules had something to look at`];
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
  });
}

let proxies;
test.before(async () => {
  proxies = await startStateProxies(scope);
});

for (const [label, how] of looks.filter(([, { dark }]) => !dark)) {
  test(`${label.replace('-light', '')}, light and dark: axe-core finds nothing on any card or panel`, async () => {
    const found = {};
    let count = 0;
    await visitStates(browser(), proxies, how, async (name, page) => {
      count += 1;
      for (const colorScheme of ['light', 'dark']) {
        await page.page.emulateMedia({ colorScheme });
        const list = await violations(page);
        if (list.length > 0) found[`${name}, ${colorScheme}`] = list;
      }
      await page.page.emulateMedia({ colorScheme: 'light' });
    });
    assert.deepEqual(found, {});
    assert.ok(count >= 18, `${count} states`);
  });
}

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

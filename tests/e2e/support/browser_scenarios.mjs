// What a person sees and does in the page, the same for each browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { startTigerVnc, startX11vnc } from './desktop.mjs';
import { Proxy } from './proxy.mjs';
import { fileScope, until } from './scope.mjs';
import { refusedPort } from './servers.mjs';
import { makeCertificate } from './tls.mjs';

/** Pixels of the canvas (RGBA) that are not those of the screen (BGRX). */
function differing(canvas, screen) {
  if (canvas.width !== screen.width || canvas.height !== screen.height) return Infinity;
  let count = 0;
  const [a, b] = [canvas.pixels, screen.pixels];
  for (let i = 0; i < a.length; i += 4) if (a[i] !== b[i + 2] || a[i + 1] !== b[i + 1] || a[i + 2] !== b[i]) count++;
  return count;
}

/** Waits until the canvas shows the screen: to the last pixel but for the pointer's. */
async function showsScreen(page, desktop) {
  let seen;
  await until(
    'the canvas to equal the screen',
    async () => {
      const screen = await desktop.picture();
      seen = differing(await page.canvas(), screen);
      return seen <= screen.width * screen.height * 0.0005;
    },
    { timeout: 20_000, every: 100, last: () => `${seen} pixels differ` },
  );
}

export function browserScenarios(launch) {
  const scope = fileScope();
  let browser;
  let certificate;
  test.before(async () => {
    browser = await launch(scope);
    certificate = await makeCertificate(scope);
  });

  const startProxy = (t, desktop, options) => Proxy.start(t, typeof desktop === 'string' ? desktop : `localhost:${desktop.port}`, options);

  /** Opens the page and closes it with the test, which fails if the page had problems of its own. */
  async function open(t, proxy, rest = '?autoconnect=1&resize=off', { loggedByLibrary = /^$/ } = {}) {
    const page = await browser.open(proxy.url + rest);
    t.after(async () => {
      await page.close();
      assert.deepEqual(page.problems.filter((problem) => !loggedByLibrary.test(problem)), []);
    });
    return page;
  }

  for (const secure of [false, true]) {
    test(`noise on the server's screen is on the canvas, typed text arrives, the pointer follows; ${secure ? 'TLS' : 'plain'}`, async (t) => {
      const desktop = await startTigerVnc(t);
      await desktop.showNoise();
      const proxy = await startProxy(t, desktop, { args: secure ? ['--cert', certificate.cert, '--key', certificate.key, '--ssl-only'] : [] });
      const page = await open(t, proxy);
      await page.reaches('connected');
      await showsScreen(page, desktop);

      const hit = await page.pointAt(517, 389);
      let pointer;
      await until(
        `the pointer at ${hit.x},${hit.y}`,
        async () => {
          pointer = await desktop.pointer();
          return Math.abs(pointer.x - hit.x) <= 1 && Math.abs(pointer.y - hit.y) <= 1;
        },
        { last: () => JSON.stringify(pointer) },
      );

      const file = await desktop.startTyping();
      const box = await page.canvasBox();
      await page.mouse.click(Math.round(box.left + 300), Math.round(box.top + 300));
      await page.type('hello World 42, {[(<>)]} #!~@ "quoted" \\ /');
      await page.press('Enter');
      await page.keyboard.down('Shift');
      await page.press('A');
      await page.keyboard.up('Shift');
      await page.press('b');
      await page.press('Enter');
      const expected = 'hello World 42, {[(<>)]} #!~@ "quoted" \\ /\nAb\n';
      await until('the typed text in the terminal', () => readFileSync(file, 'utf8') === expected, { last: () => JSON.stringify(readFileSync(file, 'utf8')) });
      // Only the keyboard moved something: the picture must still be the screen's.
      await showsScreen(page, desktop);
    });
  }

  test('x11vnc\'s screen is on the canvas', async (t) => {
    const desktop = await startX11vnc(t, { width: 800, height: 600 });
    await desktop.showNoise();
    const page = await open(t, await startProxy(t, desktop));
    await page.reaches('connected');
    await showsScreen(page, desktop);
  });

  test('the clipboard goes both ways, with letters of all kinds', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop));
    await page.reaches('connected');
    for (const text of ['plain words', 'Grüße, 日本語 ✓\nsecond line']) {
      desktop.copy(text);
      let seen;
      await until('the server\'s clipboard in the page', async () => (seen = await page.evaluate(() => document.querySelector('#clipboard-text').value)) === text, {
        last: () => JSON.stringify(seen),
      });
    }
    await page.click('#toolbar-toggle');
    await page.click('#clipboard-toggle');
    for (const text of ['from the browser', 'zurück: äöü €']) {
      await page.write('#clipboard-text', text);
      let seen;
      await until('the page\'s text in the server\'s clipboard', async () => (seen = await desktop.clipboard()) === text, { every: 100, last: () => JSON.stringify(seen) });
    }
  });

  test('the printed address connects at once', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop), '');
    await page.reaches('connected');
  });

  test('vnc.html without autoconnect waits for a click', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop), 'vnc.html');
    await page.reaches('idle');
    await page.click('#connect');
    await page.reaches('connected');
  });

  test('a password: asked for, a wrong one is said to be wrong, the right one connects', async (t) => {
    const desktop = await startTigerVnc(t, { password: 'sesame42', width: 800, height: 600 });
    const proxy = await startProxy(t, desktop);
    const wrong = await open(t, proxy, undefined, { loggedByLibrary: /^Failed when authenticating|^Failed when connecting: Security/ });
    await until('the password dialog', () => wrong.evaluate(() => (document.querySelector('#password')?.getClientRects().length ?? 0) > 0));
    await wrong.write('#password', 'not this');
    await wrong.click('#credentials-submit');
    await wrong.reaches('disconnected');
    assert.match(await wrong.words(), /password/i);

    const page = await open(t, proxy);
    await until('the password dialog', () => page.evaluate(() => (document.querySelector('#password')?.getClientRects().length ?? 0) > 0));
    await page.write('#password', 'sesame42');
    await page.click('#credentials-submit');
    await page.reaches('connected');
    await showsScreen(page, desktop);
  });

  test('a password in the link connects without asking and leaves the address bar', async (t) => {
    const desktop = await startTigerVnc(t, { password: 'sesame42', width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop), 'vnc.html?autoconnect=1#password=sesame42');
    await page.reaches('connected');
    assert.doesNotMatch(await page.evaluate(() => window.location.href), /sesame/);
  });

  test('the server is down: the page says why', async (t) => {
    const page = await open(t, await startProxy(t, `localhost:${await refusedPort()}`), undefined, {
      loggedByLibrary: /^Failed when connecting: Connection closed \(code: 1011/,
    });
    await page.reaches('disconnected');
    assert.match(await page.words(), /connection refused/i);
  });

  test('the server ends in the middle: the page says so', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop));
    await page.reaches('connected');
    desktop.server.kill('SIGTERM');
    await page.reaches('disconnected');
    assert.match(await page.words(), /\w{4}/);
  });

  test('the proxy is stopped in the middle: the page says so', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const proxy = await startProxy(t, desktop);
    const page = await open(t, proxy);
    await page.reaches('connected');
    await proxy.stop();
    await page.reaches('disconnected');
    assert.match(await page.words(), /\w{4}/);
  });

  test('resize=scale shows a larger screen whole, and the pointer hits what it points at', async (t) => {
    const desktop = await startTigerVnc(t, { width: 2560, height: 1440 });
    const page = await open(t, await startProxy(t, desktop), '?autoconnect=1&resize=scale');
    await page.reaches('connected');
    let box;
    await until('a canvas within the window', async () => (box = await page.canvasBox()).width <= 1281 && box.height <= 901 && box.width > 1000, {
      last: () => JSON.stringify(box),
    });
    const hit = await page.pointAt(box.width * 0.75, box.height * 0.5);
    const scale = 2560 / box.width;
    let pointer;
    await until('the pointer where the mouse is', async () => {
      pointer = await desktop.pointer();
      return Math.abs(pointer.x - hit.x * scale) <= 3 && Math.abs(pointer.y - hit.y * scale) <= 3;
    }, { last: () => JSON.stringify({ pointer, hit, scale }) });
  });

  test('resize=remote makes the server\'s screen as large as the window', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const page = await open(t, await startProxy(t, desktop), '?autoconnect=1&resize=remote');
    await page.reaches('connected');
    let picture;
    await until('the server\'s new size', async () => (picture = await desktop.picture()).width === 1280 && picture.height === 900, {
      every: 100,
      last: () => `${picture.width}x${picture.height}`,
    });
    await showsScreen(page, desktop);
  });

  test('view_only=1 shows and sends nothing', async (t) => {
    const desktop = await startTigerVnc(t, { width: 800, height: 600 });
    const proxy = await startProxy(t, desktop);
    const file = await desktop.startTyping();
    const watcher = await open(t, proxy, '?autoconnect=1&resize=off&view_only=1');
    await watcher.reaches('connected');
    await showsScreen(watcher, desktop);
    await watcher.pointAt(300, 300);
    await watcher.type('unseen');
    const writer = await open(t, proxy);
    await writer.reaches('connected');
    const box = await writer.canvasBox();
    await writer.mouse.click(Math.round(box.left + 200), Math.round(box.top + 200));
    await writer.type('seen');
    await writer.press('Enter');
    await until('the typed text', () => readFileSync(file, 'utf8').endsWith('\n'));
    assert.equal(readFileSync(file, 'utf8'), 'seen\n');
  });
}

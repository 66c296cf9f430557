// One small face over two real browsers: Chromium by playwright-core, Firefox by puppeteer-core (WebDriver BiDi).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { scopeOf, tempDir, until } from './scope.mjs';

const viewport = { width: 1280, height: 900 };

function findProgram(names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(':')) {
      if (existsSync(`${folder}/${name}`)) return `${folder}/${name}`;
    }
  }
  throw new Error(`none of ${names.join(', ')} is installed; scripts/install-deps check installs them`);
}

export const chromiumArgs = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Gives what `make` makes, and has it make the next one meanwhile. */
function ahead(make) {
  const begin = () => {
    const made = make();
    made.catch(() => {}); // the browser ends while it is made
    return made;
  };
  let next = begin();
  return () => {
    const now = next;
    next = begin();
    return now;
  };
}

/** A Chromium that ends with `t`. `.open(url)` gives a Page in a context of its own. */
export async function launchChromium(t) {
  const { chromium } = await import('playwright-core');
  // Its home is a folder of ours, so it finds no settings of whoever runs the tests and leaves none.
  const home = tempDir(t);
  const browser = await chromium.launch({
    executablePath: findProgram(['chromium', 'chromium-browser', 'google-chrome']),
    args: chromiumArgs,
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    chromiumSandbox: false,
  });
  scopeOf(t).add(() => browser.close());
  const blank = async ({ size = viewport, touch = false, dark = false, locale = 'en-US' }) => {
    const context = await browser.newContext({
      viewport: size, hasTouch: touch, isMobile: touch, colorScheme: dark ? 'dark' : 'light', locale, ignoreHTTPSErrors: true,
    });
    return { context, page: await context.newPage() };
  };
  // A third of a second each, which a test need not wait for.
  const plain = ahead(() => blank({}));
  return {
    name: 'Chromium',
    async open(url, { size, ...look } = {}) {
      const isPlain = Object.keys(look).length === 0;
      const { context, page } = await (isPlain ? plain() : blank({ size, ...look }));
      if (isPlain && size) await page.setViewportSize(size);
      return Page.open(page, url, {
        end: () => context.close(),
        fill: (selector, text) => page.fill(selector, text),
        resize: (to) => page.setViewportSize(to),
        key: async (key, code) => {
          // The driver knows the keys of an American keyboard only.
          const session = await context.newCDPSession(page);
          await session.send('Input.dispatchKeyEvent', { type: 'keyDown', key, code, text: key });
          await session.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code });
          await session.detach();
        },
        entries: async () => {
          const session = await context.newCDPSession(page);
          return (await session.send('Page.getNavigationHistory')).entries.map(({ url }) => url);
        },
        download: async (act) => {
          const [download] = await Promise.all([page.waitForEvent('download'), act()]);
          return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
        },
      });
    },
  };
}

/** The same with Firefox. */
export async function launchFirefox(t) {
  const { default: puppeteer } = await import('puppeteer-core');
  const home = tempDir(t);
  const downloads = tempDir(t);
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: findProgram(['firefox-esr', 'firefox']),
    headless: true,
    acceptInsecureCerts: true,
    defaultViewport: null,
    extraPrefsFirefox: { 'browser.download.folderList': 2, 'browser.download.dir': downloads, 'intl.accept_languages': 'en-US' },
    // A window larger than the viewport, or mouse moves at its edges get lost.
    env: { ...process.env, HOME: home, MOZ_HEADLESS_WIDTH: '1600', MOZ_HEADLESS_HEIGHT: '1200' },
  });
  scopeOf(t).add(() => browser.close());
  return {
    name: 'Firefox',
    async open(url, { size = viewport } = {}) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport(size);
      return Page.open(page, url, {
        end: () => context.close(),
        resize: (to) => page.setViewport(to),
        key: (key) => page.keyboard.press(key),
        download: async (act) => {
          const before = readdirSync(downloads);
          await act();
          const found = () => readdirSync(downloads).find((name) => name.endsWith('.png') && !before.includes(name));
          const name = await until('the downloaded file', () => found() && !readdirSync(downloads).some((each) => each.endsWith('.part')) && found());
          return { name, bytes: await until('its content', () => (readFileSync(`${downloads}/${name}`).length > 0 ? readFileSync(`${downloads}/${name}`) : null)) };
        },
        fill: async (selector, text) => {
          await page.click(selector);
          await page.$eval(selector, (field) => field.select());
          await page.keyboard.type(text);
        },
      });
    },
  };
}

/** A page of either browser. `.problems` collects what its console calls an error and requests to other hosts. */
class Page {
  /** `driver`: what each does its own way: end, fill, resize(size), key(character, code), download(act); `entries`, of its history, only Chromium gives. */
  static async open(page, url, driver) {
    const self = Object.assign(new Page(), driver);
    self.page = page;
    self.problems = [];
    const { host } = new URL(url);
    page.on('console', (message) => {
      if (message.type() === 'error') self.problems.push(message.text());
    });
    page.on('pageerror', (error) => self.problems.push(String(error)));
    page.on('request', (request) => {
      const asked = new URL(request.url());
      if (/^(http|ws)s?:$/.test(asked.protocol) && asked.host !== host) self.problems.push(`asks ${asked.host}`);
    });
    await page.goto(url);
    return self;
  }

  evaluate(fn, arg) {
    return this.page.evaluate(fn, arg);
  }

  /** Replaces a field's content, and makes sure that it did. */
  async write(selector, text) {
    await this.fill(selector, text);
    await until(`${selector} to hold what was typed`, () => this.evaluate(([s, v]) => document.querySelector(s).value === v, [selector, text]));
  }

  async click(selector) {
    await until(`${selector} to be seen`, () => this.evaluate((s) => (document.querySelector(s)?.getClientRects().length ?? 0) > 0, selector));
    await this.page.click(selector);
  }

  async type(text) {
    await this.page.keyboard.type(text);
  }

  async press(key) {
    await this.page.keyboard.press(key);
  }

  get keyboard() {
    return this.page.keyboard;
  }

  get mouse() {
    return this.page.mouse;
  }

  /** Waits until something is as the page's own `fn` says, and gives what that gave. */
  async waits(what, fn, arg, options) {
    return until(what, () => this.evaluate(fn, arg), options);
  }

  state() {
    return this.evaluate(() => document.documentElement.dataset.state);
  }

  /** Waits for one of idle, connecting, connected, disconnected. */
  async reaches(state, { timeout = 15_000 } = {}) {
    await until(`the page to be ${state}`, async () => (await this.state()) === state, { timeout, last: async () => `${await this.state()}: ${await this.words()}` });
  }

  /** All words of the card in the middle, as a reader sees them. */
  words() {
    return this.evaluate(() => document.querySelector('#dialog')?.innerText ?? '');
  }

  /** Size and RGBA pixels of the canvas. */
  async canvas() {
    const { width, height, data } = await this.evaluate(() => {
      const canvas = document.querySelector('#screen canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let text = '';
      for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode.apply(null, data.subarray(at, at + 32768));
      return { width: canvas.width, height: canvas.height, data: btoa(text) };
    });
    return { width, height, pixels: Buffer.from(data, 'base64') };
  }

  /** Where the canvas is on the page, and how large it is shown. */
  canvasBox() {
    return this.evaluate(() => {
      const { left, top, width, height } = document.querySelector('#screen canvas').getBoundingClientRect();
      return { left, top, width, height };
    });
  }

  /** Moves the mouse to whole coordinates of the page close to these of the canvas; gives the point it hit there. */
  async pointAt(x, y) {
    const { left, top } = await this.canvasBox();
    const at = { x: Math.round(left + x), y: Math.round(top + y) };
    await this.mouse.move(at.x, at.y);
    return { x: at.x - left, y: at.y - top };
  }

  async close() {
    await this.end();
  }
}

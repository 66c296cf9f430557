// No test: writes a PNG of each state of the page, for a person to look through. scripts/screenshots runs it.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launchChromium } from './support/browsers.mjs';
import { startTigerVnc } from './support/desktop.mjs';
import { looks, startStateProxies, visitStates } from './support/page_states.mjs';
import { Scope } from './support/scope.mjs';

const folder = path.resolve(process.argv[2]);
mkdirSync(folder, { recursive: true });
const scope = new Scope();
try {
  const desktop = await startTigerVnc(scope, { width: 1024, height: 768, args: ['-desktop', 'Office desktop'] });
  await desktop.run('xsetroot', ['-solid', '#33557a']);
  await desktop.startTyping();
  const proxies = await startStateProxies(scope, desktop.port);
  const browser = await launchChromium(scope);
  for (const [label, how] of looks) {
    await visitStates(browser, proxies, how, async (name, page) => {
      const file = path.join(folder, `${name}--${label}.png`);
      await page.page.screenshot({ path: file });
      console.log(file);
    });
  }
} finally {
  await scope.close();
}
process.exit(process.exitCode ?? 0);

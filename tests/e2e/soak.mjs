// What scripts/soak runs: a terminal that scrolls, a browser that looks on, and the daemon's memory every few seconds.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { launchChromium } from './support/browsers.mjs';
import { startTigerVnc } from './support/desktop.mjs';
import { Proxy } from './support/proxy.mjs';
import { Scope } from './support/scope.mjs';

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) {
  console.error('usage: scripts/soak [MINUTES]');
  process.exit(2);
}
const everyMs = 3000;
const allowedKib = 1024;

/** Memory of the daemon and its helper in KiB: PSS splits what they share, RSS is the daemon's alone. */
function memory(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  const pss = (id) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))[1]);
  return {
    pss: [pid, ...children].reduce((sum, id) => sum + pss(id), 0),
    rss: Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]),
  };
}

/** KiB a minute, by least squares. */
function slope(samples, what) {
  const n = samples.length;
  const meanX = samples.reduce((sum, s) => sum + s.minute, 0) / n;
  const meanY = samples.reduce((sum, s) => sum + s[what], 0) / n;
  const over = samples.reduce((sum, s) => sum + (s.minute - meanX) * (s[what] - meanY), 0);
  const under = samples.reduce((sum, s) => sum + (s.minute - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

const digest = async (page) => createHash('sha1').update((await page.canvas()).pixels).digest('hex');

const scope = new Scope();
let failure;
try {
  const desktop = await startTigerVnc(scope, { width: 1024, height: 768 });
  // A hundred lines a second of letters that do not compress away.
  const scroll = `$| = 1; my @c = ('a'..'z', 'A'..'Z', 0..9, ' '); while (1) {
    print join('', map { $c[rand @c] } 1 .. 150), "\\n"; select(undef, undef, undef, 0.01); }`;
  desktop.start('xterm', ['-geometry', '200x100+0+0', '-bw', '0', '-bg', 'black', '-fg', 'gray90', '-e', 'perl', '-e', scroll]);
  const proxy = await Proxy.start(scope, `localhost:${desktop.port}`);
  const browser = await launchChromium(scope);
  const page = await browser.open(`${proxy.url}?autoconnect=1&resize=off`);
  await page.reaches('connected');
  const firstPicture = await digest(page);

  const started = Date.now();
  const samples = [];
  let nextLine = 0;
  for (;;) {
    const minute = (Date.now() - started) / 60_000;
    samples.push({ minute, ...memory(proxy.pid) });
    if (minute >= nextLine) {
      const { pss, rss } = samples.at(-1);
      console.log(`${minute.toFixed(1).padStart(5)} min  PSS ${pss} KiB  RSS ${rss} KiB`);
      nextLine += minutes / 10;
    }
    if (minute >= minutes) break;
    await new Promise((resolve) => setTimeout(resolve, Math.min(everyMs, started + minutes * 60_000 - Date.now() + 1)));
  }

  if ((await page.state()) !== 'connected') failure = `the page is ${await page.state()}: ${await page.words()}`;
  if ((await digest(page)) === firstPicture) failure = 'the picture never changed';

  const settled = Math.min(1, minutes / 2);
  const after = samples.filter((sample) => sample.minute >= settled);
  for (const what of ['pss', 'rss']) {
    const values = samples.map((sample) => sample[what]);
    const grown = Math.max(...after.map((sample) => sample[what])) - after[0][what];
    console.log(
      `${what.toUpperCase()}: first ${values[0]} KiB, max ${Math.max(...values)} KiB, last ${values.at(-1)} KiB; ` +
        `after ${settled} min: grew by ${grown} KiB, slope ${slope(after, what).toFixed(1)} KiB/min`,
    );
    if (grown > allowedKib) failure ??= `${what.toUpperCase()} grew by ${grown} KiB, over ${allowedKib}`;
  }
  await page.close();
  const [closed] = await proxy.logged(/\] closed /);
  console.log(`relayed: ${/to_client=(\d+)/.exec(closed)?.[1] ?? closed} bytes to the browser`);
} catch (error) {
  failure = error.stack;
}
await scope.close().catch((error) => (failure ??= error.stack));
console.log(failure ? `soak failed: ${failure}` : `soak passed: ${minutes} minutes`);
process.exit(failure ? 1 : 0);

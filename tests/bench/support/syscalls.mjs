// What wsproxy asks of the kernel in each scenario, as strace counts it: no call should be made for nothing.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isThere, sleep } from './machine.mjs';
import { measure } from './measure.mjs';

const scenarios = [
  ['down', ['down']],
  ['up16k', ['up', 'frame=16384']],
  ['up1k', ['up', 'frame=1024']],
  ['up64', ['up', 'frame=64']],
  ['vnc', ['vnc']],
  ['small', ['small']],
  ['small64', ['small', 'connections=64']],
  ['rate500', ['rate', 'connections=500']],
  ['mixed', ['mixed']],
  ['connect', ['connect']],
  ['http', ['http'], 'plain'],
];
const kinds = { reads: /^(read|recv|recvfrom|recvmsg)$/, writes: /^(write|send|sendto|sendmsg|writev)$/, moves: /^(splice|sendfile)$/, waits: /^epoll_wait$/, changes: /^epoll_ctl$/ };

/** The summary that `strace -c` leaves: [{ name, calls, errors }]. It comes a moment after the program's end. */
async function summary(file) {
  for (let i = 0; i < 200; ++i, await sleep(20)) {
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch {} // not yet
    if (!/ total$/m.test(text)) continue;
    return text.split('\n').map((line) => line.trim().split(/\s+/)).filter((words) => /^\d+$/.test(words[3] ?? '') && words.at(-1) !== 'total')
      .map((words) => ({ name: words.at(-1), calls: Number(words[3]), errors: words.length > 5 ? Number(words[4]) : 0 }));
  }
  throw new Error(`strace has left no summary in ${file}`);
}

function count(calls) {
  const all = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
  let vain = 0;
  for (const { name, calls: n, errors } of calls) {
    const kind = Object.keys(kinds).find((each) => kinds[each].test(name));
    if (kind) all[kind] += n;
    if (kind === 'reads' || kind === 'moves') vain += errors;
  }
  return { ...all, vain };
}

/** Gives [{ name, reads, writes, moves, waits, changes, vain }], or nothing without strace. */
export async function measureSystemCalls(bench, say) {
  if (!isThere('strace')) {
    console.error('system calls are not counted: there is no strace (scripts/install-deps bench)');
    return [];
  }
  const lines = [];
  for (const [scenario, load, only] of scenarios) {
    for (const tls of only ? [false] : [false, true]) {
      const file = path.join(bench.at.folder, `strace-${scenario}-${tls}`);
      // -DD: the program itself is our child, as without strace; that has a group of its own, to outlive it
      const watched = { command: (at, kind) => ['strace', '-DD', '-f', '-c', '-o', file, ...bench.peers.wsproxy.command(at, kind)] };
      const row = { scenario, name: tls ? `${scenario}-tls` : scenario, tls, load, figure: 'ok' };
      const figures = await measure(bench, row, watched, { seconds: 1 });
      if (!figures.ok) {
        say(row, 'strace', figures);
        continue;
      }
      const counted = count(await summary(file));
      console.error(`  ${row.name.padEnd(16)} strace         ${counted.waits} wake-ups`);
      lines.push({ name: row.name, ...counted });
    }
  }
  return lines;
}

const each = (calls, waits) => (calls / waits).toFixed(2);

export const systemCallsTable = (lines) => [
  '| scenario | `epoll_wait` | reads for each | writes for each | `splice`, `sendfile` for each | reads for nothing (`EAGAIN`), in all | `epoll_ctl`, in all |',
  '|---|---|---|---|---|---|---|',
  ...lines.map(({ name, waits, reads, writes, moves, vain, changes }) =>
    `| ${name} | ${waits} | ${each(reads, waits)} | ${each(writes, waits)} | ${each(moves, waits)} | ${vain} | ${changes} |`),
].join('\n');

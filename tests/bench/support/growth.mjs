// What does not compare with goals: how costs grow with the sessions, and what thousands of them cost that do nothing.
import { measure } from './measure.mjs';
import { number } from './table.mjs';

const counts = [10, 100, 1000, 9900];

/** Gives [{ name, points: [{ sessions, cpu, memory }] }]. */
export async function measureGrowth(bench, say) {
  const row = { scenario: 'growth', name: 'growth', tls: false, load: ['growth'], figure: 'cpu_us_per_echo' };
  const growth = [];
  for (const name of ['wsproxy', 'floor', 'haproxy-tcp'].filter((each) => each === 'wsproxy' || bench.wanted(each))) {
    const points = [];
    for (const sessions of counts.filter((count) => 2 * count + 100 <= bench.descriptors)) {
      const figures = await measure(bench, row, bench.peers[name], { load: [`sessions=${sessions}`], seconds: Math.max(2, bench.seconds) });
      say(row, `${name}, ${sessions}`, figures);
      if (figures.ok) points.push({ sessions, cpu: figures.cpu_us_per_echo, memory: figures.bytes_per_session / 1024 });
    }
    if (points.length) growth.push({ name, points });
  }
  return growth;
}

export function growthTable(growth) {
  const sessions = growth[0].points.map((point) => point.sessions);
  const cells = (points, of) => sessions.map((count) => number(points.find((point) => point.sessions === count)?.[of]));
  return [
    `| sessions | ${sessions.map((count) => count.toLocaleString('en')).join(' | ')} |`,
    `|---|${sessions.map(() => '---|').join('')}`,
    ...growth.flatMap(({ name, points }) => [
      `| ${name}: CPU µs/echo | ${cells(points, 'cpu').join(' | ')} |`,
      `| ${name}: PSS KiB/session | ${cells(points, 'memory').join(' | ')} |`,
    ]),
  ].join('\n');
}

/** 5,000 sessions that say nothing, with heartbeats and without, at the same time: they cost next to nothing. */
export async function measureQuiet(bench, say) {
  const row = { scenario: 'quiet', name: 'idle5000', tls: false, load: ['quiet', 'sessions=5000'], figure: 'cpu_s' };
  const seconds = 60;
  const runs = [['no heartbeat', ['--heartbeat=0']], ['heartbeat of 30 s', ['--heartbeat=30']]];
  const figures = await Promise.all(runs.map(([, options]) => measure(bench, row, bench.peers.wsproxy, { options, seconds })));
  runs.forEach(([name], i) => say(row, name, figures[i]));
  return runs.map(([name], i) => ({ name, seconds, ...figures[i] }));
}

export const quietTable = (quiet) => [
  '| 5,000 idle sessions | seconds watched | pings answered | CPU ms in that time | of a processor |',
  '|---|---|---|---|---|',
  ...quiet.map((run) => (run.ok
    ? `| ${run.name} | ${run.seconds} | ${run.pings} | ${number(run.cpu_s * 1000)} | ${(100 * run.cpu_s / run.seconds).toFixed(3)} % |`
    : `| ${run.name} | **failed**: ${run.error} | | | |`)),
].join('\n');

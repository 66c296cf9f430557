// What does not compare with goals: how costs grow with the sessions, what thousands of them cost that do nothing, and
// how several daemons share a port.
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

const work = [
  { name: 'connect, TLS', tls: true, load: ['connect', 'concurrent=32'], rate: 'sessions_per_s', cost: 'cpu_us_per_session' },
  { name: '64 echoing', tls: false, load: ['small', 'connections=64'], rate: 'echoes_per_s', cost: 'cpu_us_per_echo' },
  { name: '64 streams down', tls: false, load: ['down', 'connections=64'], rate: 'mb_per_s', cost: 'cpu_s_per_gb' },
];

/** One daemon, then two on one port, by --reuse-port. */
export async function measureInstances(bench, say) {
  const lines = [];
  for (const each of work) {
    const row = { ...each, scenario: 'instances', name: 'instances', figure: each.cost };
    for (const instances of [1, 2]) {
      const figures = await measure(bench, row, bench.peers.wsproxy, { instances, options: instances > 1 ? ['--reuse-port'] : [], seconds: Math.max(2, bench.seconds) });
      say(row, `${each.name}, ${instances}`, figures);
      lines.push({ ...each, instances, figures });
    }
  }
  return lines;
}

/** How much of the work the first of several did. */
const share = ({ cpu_s_of_1: first, cpu_s_of_2: second }) => (second === undefined ? '' : `${Math.round((100 * first) / (first + second))} : ${Math.round((100 * second) / (first + second))}`);

export const instancesTable = (lines) => [
  '| work | daemons | rate | cost of a unit | CPU of the first : second |',
  '|---|---|---|---|---|',
  ...lines.map(({ name, instances, figures, rate, cost }) => (figures.ok
    ? `| ${name} | ${instances} | ${number(figures[rate])} ${rate} | ${number(figures[cost])} ${cost} | ${share(figures)} |`
    : `| ${name} | ${instances} | **failed**: ${figures.error} | | |`)),
].join('\n');

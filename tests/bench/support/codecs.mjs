// The codecs alone, by Google Benchmark: CPU time of a call, and what that means for a byte or a frame.
import { execFileSync } from 'node:child_process';

/** Gives [{ name, cpu_time (ns), bytes_per_second, items_per_second }]. */
export function measureCodecs(program, cpu) {
  const args = ['-c', `${cpu}`, program, '--benchmark_format=json', '--benchmark_min_time=0.1'];
  const text = execFileSync('taskset', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(text).benchmarks.map(({ name, cpu_time, bytes_per_second, items_per_second }) => ({ name, cpu_time, bytes_per_second, items_per_second }));
}

const time = (ns) => (ns >= 10_000 ? `${(ns / 1000).toFixed(1)} µs` : `${ns.toFixed(ns < 100 ? 1 : 0)} ns`);

export const codecsTable = (codecs) => [
  '| codec / bytes | CPU time | GB/s | CPU ns for each frame |',
  '|---|---|---|---|',
  ...codecs.map(({ name, cpu_time: ns, bytes_per_second: bytes, items_per_second: items }) =>
    `| ${name} | ${time(ns)} | ${bytes ? (bytes / 1e9).toFixed(2) : ''} | ${items ? (1e9 / items).toFixed(1) : ''} |`),
].join('\n');

// One measurement: a proxy that is started for it, the load generator, and the figures it prints.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { freePort, startProxy, stopProxy, untilListening } from './machine.mjs';

const patience = 120_000; // ms, above what the longest scenario takes

/** Starts the load generator: `target` is the port that the proxy has to connect to, `result` its figures. */
function startLoad(program, args) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {}); // it ended before it was told; its figures say why
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const late = setTimeout(() => child.kill('SIGKILL'), patience + 1000 * Number(/seconds=(\S+)/.exec(args.join(' '))?.[1] ?? 0));
  const read = async () => (await lines.next()).value;
  return {
    target: read().then((line) => Number(/^target (\d+)$/.exec(line ?? '')?.[1])),
    tell: (port, pids) => child.stdin.end(`${port} ${pids.join(' ')}\n`),
    async result() {
      const line = await read();
      clearTimeout(late);
      return line ? JSON.parse(line) : { ok: false, error: 'the load generator ended without a word' };
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/**
 * Figures of `peer` under the load of `row`, or null when it does not do such a thing.
 * `bench`: what all measurements share. The proxy has one processor and the load generator another, but with
 * `instances`: so many of the proxy share the port, each on a processor, and the generator is wherever there is room.
 */
export async function measure(bench, row, peer, { load = [], options = [], seconds = bench.seconds, instances } = {}) {
  const kind = { tls: row.tls, web: row.scenario === 'http', options };
  if (peer.command({ ...bench.at, listen: 0, target: 0 }, kind) === null) return null;
  const [scenario, ...given] = row.load;
  const generator = startLoad(bench.load, [
    scenario, `seconds=${seconds}`, ...given, ...load, ...(row.tls ? ['tls=1'] : []), ...(peer.raw ? ['raw=1'] : []),
    ...(instances ? [] : [`cpu=${bench.processors[1]}`]), ...(kind.web ? ['path=/file.bin', `file=${bench.at.web}/file.bin`] : []),
  ]);
  const proxies = [];
  try {
    const target = await generator.target;
    const at = { ...bench.at, target, listen: await freePort() }; // not before: the target might get that port
    for (let i = 0; i < (instances ?? 1); ++i) {
      proxies.push(startProxy(peer.command(at, kind), bench.processors[i % 2], bench.prefix));
      await untilListening(proxies[i], at.listen, i + 1);
    }
    generator.tell(at.listen, proxies.map((proxy) => proxy.pid));
    return await generator.result();
  } catch (error) {
    return { ok: false, error: error.message };
  } finally {
    generator.kill();
    for (const proxy of proxies) await stopProxy(proxy);
  }
}

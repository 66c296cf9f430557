// What a measurement needs of the machine: processors to stay on, files, ports, descriptors.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import path from 'node:path';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function isThere(program) {
  const places = program.includes('/') ? [program] : `${process.env.PATH}:/usr/sbin`.split(':').map((folder) => path.join(folder, program));
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A folder with a certificate and a file to serve; it goes with the process. */
export function makeFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'wsproxy-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const at = { folder, cert: `${folder}/cert.pem`, key: `${folder}/key.pem`, pem: `${folder}/both.pem`, web: `${folder}/web` };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
    '-subj', '/CN=localhost', '-keyout', at.key, '-out', at.cert], { stdio: 'ignore' });
  writeFileSync(at.pem, readFileSync(at.cert, 'utf8') + readFileSync(at.key, 'utf8'));
  mkdirSync(at.web);
  writeFileSync(`${at.web}/file.bin`, randomBytes(100 * 1024));
  return at;
}

/** The processors that we may use: the proxy has the first, the load generator the second. */
export function processors() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  const all = list.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [all[0], all[1] ?? all[0]];
}

/** As many descriptors as 10,000 sessions take, or as many as we may have. */
export function descriptorPrefix() {
  for (const limit of [65536, 40000]) {
    try {
      execFileSync('prlimit', [`--nofile=${limit}:${limit}`, 'true'], { stdio: 'ignore' });
      return { limit, prefix: ['prlimit', `--nofile=${limit}:${limit}`] };
    } catch {} // not root, or the container has less
  }
  const limit = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
  return { limit, prefix: ['prlimit', `--nofile=${limit}:${limit}`] };
}

export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** True once `count` sockets listen on the port; nobody has to connect to find out. */
function isListening(port, count) {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].filter(existsSync).flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  return lines.map((line) => line.trim().split(/\s+/)).filter((word) => word[3] === '0A' && word[1].endsWith(hex)).length >= count;
}

export async function untilListening(child, port, count = 1) {
  for (const end = Date.now() + 10_000; !isListening(port, count); await sleep(5)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode ?? child.signalCode}: ${child.said}`);
    if (Date.now() > end) throw new Error(`nobody listens on port ${port} after 10 s: ${child.said}`);
  }
}

const running = new Set();
process.on('exit', () => {
  for (const child of running) kill(child, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

// Each is the leader of a group of its own, with the processes it starts.
function kill(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {} // all of it has ended
}

/** Starts a proxy on the given processor. */
export function startProxy(command, cpu, prefix) {
  const line = [...prefix, 'taskset', '-c', `${cpu}`, ...command];
  const child = spawn(line[0], line.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  running.add(child);
  child.said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    if (child.said.length < 2000) child.said += text;
  });
  child.ended = new Promise((resolve) => child.once('exit', resolve));
  return child;
}

export async function stopProxy(child) {
  kill(child, 'SIGTERM');
  const late = setTimeout(() => kill(child, 'SIGKILL'), 1000);
  await child.ended;
  clearTimeout(late);
  kill(child, 'SIGKILL'); // whoever of its processes did not go with it
  running.delete(child);
}

/** The machine in a line. */
export function describeMachine() {
  const version = existsSync('/etc/debian_version') ? `Debian ${readFileSync('/etc/debian_version', 'utf8').trim()}` : '';
  const control = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
  return `${availableParallelism()} processors (${cpus()[0].model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${version}, TCP ${control}`;
}

export const load = () => loadavg()[0].toFixed(1);

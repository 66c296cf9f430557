// No test: asks a program that takes websockify's command line what becomes of each attack of tests/README.md, by the
// attack's essential bytes, and prints a line for each.
//
//   node compare_websockify.mjs [PROGRAM [WORDS]]     PROGRAM is websockify unless said; WORDS picks attacks by name
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Reader } from './support/bytes.mjs';
import { jumpingClock } from './support/clock.mjs';
import { startFlood, startTakers } from './support/flood.mjs';
import { HttpClient } from './support/http.mjs';
import { deadNameServer, ownResolvConf } from './support/names.mjs';
import { children, descriptors, runs } from './support/processes.mjs';
import { randomOf } from './support/random.mjs';
import { behave, randomClient } from './support/random_clients.mjs';
import { Scope, run, start, tempDir, until, untilStill } from './support/scope.mjs';
import { refusedPort, startEcho, startNeverAnswers, startServer, startTrickle } from './support/servers.mjs';
import { makeCertificate, startTlsServer, tlsHello } from './support/tls.mjs';
import { Op, WebSocketClient, connect, frame, upgradeRequest } from './support/websocket.mjs';

const [program = 'websockify', words = ''] = process.argv.slice(2);
const MiB = 1 << 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const kib = (bytes) => (bytes >= MiB ? `${Math.round(bytes / MiB)} MiB` : `${Math.round(bytes / 1024)} KiB`);

/** A process and all its descendants. */
const family = (pid) => [pid, ...children(pid).flatMap((child) => family(child.pid))].filter(runs);
const memory = (pid) => family(pid).reduce((sum, id) => sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0), 0);

/** Descriptors that it and its descendants hold. */
const held = (pid) => family(pid).reduce((sum, id) => {
  try {
    return sum + descriptors(id);
  } catch {
    return sum; // it has just ended
  }
}, 0);

/** Seconds until it holds as many as `before` again, or a word for that it does not within `timeout` ms. */
async function letsGo(pid, before, timeout = 5000) {
  const began = Date.now();
  const gone = await until('the descriptors as before', () => held(pid) <= before, { timeout }).then(() => true, () => false);
  return gone ? `after ${((Date.now() - began) / 1000).toFixed(1)} s` : `not within ${timeout / 1000} s`;
}

/** Whether a byte of a session with an echo comes back. */
const echoes = (client) => client.send('y').then(() => client.bytes(1)).then(() => true, () => false);

/** The program in front of `target`, a port, `host:port` or the words of a program, with a page and a certificate. */
async function launch(t, target, { args = [], under = [], ready = true, cert = true, env } = {}) {
  const folder = tempDir(t);
  const web = path.join(folder, 'www');
  mkdirSync(path.join(web, 'listed'), { recursive: true });
  writeFileSync(path.join(web, 'index.html'), 'page');
  writeFileSync(path.join(web, 'listed', 'private.txt'), 'private');
  writeFileSync(path.join(folder, 'secret.txt'), 'SECRET');
  symlinkSync(path.join(folder, 'secret.txt'), path.join(web, 'link'));
  const { both } = await makeCertificate(t, { folder });
  const port = await refusedPort();
  const line = [program, ...args, '--web', web, ...(cert ? ['--cert', both] : []), `127.0.0.1:${port}`, ...(Array.isArray(target) ? ['--', ...target] : [typeof target === 'number' ? `127.0.0.1:${target}` : target])];
  const child = start(t, under[0] ?? line[0], under.length > 0 ? [...under.slice(1), ...line] : line.slice(1), { env: { ...process.env, ...env } });
  if (ready) {
    const there = () => new Promise((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1' }, () => resolve(socket.destroy() && true));
      socket.on('error', () => resolve(false));
    });
    await until('the port', there, { last: () => child.output });
  }
  return { port, pid: child.pid, child, folder };
}

/** What the answer to raw bytes begins with, or how the connection ends, within `timeout` ms. */
async function answerTo(t, port, bytes, { timeout = 3000, end = false } = {}) {
  const socket = await connect(t, { port });
  socket.write(bytes);
  if (end) socket.end();
  const reader = new Reader(socket, { timeout });
  try {
    const first = await reader.some();
    return first === null ? 'closed without a word' : first.toString('latin1');
  } catch (error) {
    return error.message.startsWith('not within') ? `nothing within ${timeout / 1000} s` : 'reset';
  } finally {
    socket.destroy();
  }
}

const statusOf = (answer) => /^HTTP\/1\.\d (\d{3})/.exec(answer)?.[1] ?? (answer.startsWith('<') || answer.startsWith('HTTP') ? 'a page without a status line' : answer);
const status = async (t, port, bytes, options) => statusOf(await answerTo(t, port, bytes, options));
const getOf = (target, more = '') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

/** How a session ends: its close code, or what TCP does. */
async function endOf(client) {
  try {
    const { code } = await client.closed();
    return `Close ${code}`;
  } catch (error) {
    return error.message.startsWith('not within') ? 'no Close in time' : 'TCP ends without a Close';
  }
}

const attacks = {
  async 'a page of another origin'(t) {
    const target = await startServer(t);
    const { port } = await launch(t, target.port);
    const answer = await status(t, port, upgradeRequest({ port, headers: { Origin: 'http://evil.example' } }));
    await sleep(300);
    return `${answer}, target ${target.sockets.size > 0 ? 'dialled' : 'not dialled'}`;
  },
  async 'DNS rebinding'(t) {
    const { port } = await launch(t, (await startEcho(t)).port);
    const headers = { Host: 'evil.example', Origin: 'http://evil.example' };
    return `page ${await status(t, port, 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')}, WebSocket ${await status(t, port, upgradeRequest({ headers }))}`;
  },
  async 'an address in the URL'(t) {
    let visitors = 0;
    const other = await startServer(t, () => visitors++);
    const { port } = await launch(t, (await startEcho(t)).port);
    const there = `127.0.0.1:${other.port}`;
    for (const target of [`/?host=127.0.0.1&port=${other.port}`, `/?token=${there}`, `/${there}`]) await status(t, port, upgradeRequest({ path: target, port }));
    const tunnel = await status(t, port, `CONNECT ${there} HTTP/1.1\r\nHost: ${there}\r\n\r\n`);
    return `${visitors} connections there, CONNECT ${tunnel}`;
  },
  async 'open redirect'(t) {
    const { port } = await launch(t, 5900);
    const out = [];
    for (const target of ['//evil.example/listed', '//evil.example/..', '//listed', '/listed']) {
      const answer = await answerTo(t, port, getOf(target));
      out.push(`${target} ${statusOf(answer)}${/\r\nLocation: (.*)\r\n/i.exec(answer)?.[1] ? ` to ${/\r\nLocation: (.*)\r\n/i.exec(answer)[1]}` : ''}`);
    }
    return out.join(', ');
  },
  async 'files from outside, listings'(t) {
    const { port } = await launch(t, 5900);
    const out = [];
    for (const target of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/link', '/listed/']) {
      const socket = new HttpClient(await connect(t, { port }));
      socket.socket.write(getOf(target, 'Connection: close\r\n'));
      const all = String(await Promise.race([socket.reader.rest({ resetOk: true }).catch(() => ''), sleep(2000).then(() => '')]));
      out.push(`${target} ${all.includes('SECRET') ? 'is served' : all.includes('private.txt') ? 'is listed' : statusOf(all)}`);
    }
    return out.join(', ');
  },
  async 'large heads'(t) {
    const { port } = await launch(t, 5900);
    return `a line of 1 MiB: ${await status(t, port, getOf('/', `X: ${'x'.repeat(MiB)}\r\n`))}, 10,000 fields: ${await status(t, port, getOf('/', 'X: y\r\n'.repeat(10_000)))}, a target of 100 KiB: ${await status(t, port, getOf(`/${'x'.repeat(100_000)}`))}`;
  },
  async 'plain GET where TLS is a must'(t) {
    const { port } = await launch(t, 5900, { args: ['--ssl-only'] });
    return (await answerTo(t, port, 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')).split('\r\n')[0];
  },
  async 'an absolute target'(t) {
    const { port } = await launch(t, 5900);
    return status(t, port, 'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  },
  async 'weak TLS'(t) {
    const { port } = await launch(t, 5900);
    const taken = [];
    for (const [name, options] of Object.entries({
      'TLS 1.0': { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' },
      'TLS 1.1': { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
      CBC: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0' },
      anonymous: { maxVersion: 'TLSv1.2', ciphers: 'AECDH-AES128-SHA:@SECLEVEL=0' },
      'SHA-1': { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0', sigalgs: 'ECDSA+SHA1' },
    })) {
      const socket = await connect(t, { port, secure: true, tlsOptions: options }).catch(() => null);
      if (socket) taken.push(name);
      socket?.destroy();
    }
    return `takes: ${taken.join(', ') || 'none'}`;
  },
  async 'renegotiation'(t) {
    const { port } = await launch(t, 5900);
    const said = await run(t, 'sh', ['-c', `(sleep 1; for i in 1 2 3; do echo R; sleep .3; done) | openssl s_client -tls1_2 -connect 127.0.0.1:${port} 2>&1`]);
    return `${said.stdout.match(/^RENEGOTIATING/gm)?.length ?? 0} asked for; ${/no renegotiation/i.test(said.stdout) ? 'refused' : /error/i.test(said.stdout) ? 'the connection fails' : 'done'}`;
  },
  async 'a flood of KeyUpdates'(t) {
    const { port } = await launch(t, 5900);
    const said = await run(t, 'sh', ['-c', `(sleep 1; for i in $(seq 600); do echo k; sleep .003; done; sleep 1; printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'; sleep 1) | openssl s_client -tls1_3 -connect 127.0.0.1:${port} 2>&1`], { timeout: 20_000 });
    return `${said.stdout.match(/^KEYUPDATE/gm)?.length ?? 0} taken; ${/HTTP\/1\.[01] 200/.test(said.stdout) ? 'served after it' : 'closed'}`;
  },
  async 'a TLS hello of 64 KiB'(t) {
    const { port } = await launch(t, 5900);
    const socket = await connect(t, { port });
    let ended = false;
    socket.on('close', () => (ended = true)).resume();
    const record = Buffer.concat([Buffer.from('1603014000', 'hex'), Buffer.alloc(16384)]);
    record.writeUInt32BE(0x0100ffff, 5);
    let sent = 0;
    for (let i = 0; i < 4 && !ended; i++, sent += 16384) {
      socket.write(i === 0 ? record : Buffer.concat([record.subarray(0, 5), Buffer.alloc(16384)]));
      await sleep(300);
    }
    return ended || socket.readableEnded ? `closed after ${kib(sent)}` : 'waits for the rest';
  },
  async 'resumption'(t) {
    const { port } = await launch(t, 5900);
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' };
    const first = tls.connect(options);
    const session = await new Promise((resolve) => first.once('secureConnect', () => resolve(first.getSession())));
    first.destroy();
    const second = tls.connect({ ...options, session });
    await new Promise((resolve) => second.once('secureConnect', resolve));
    const resumed = second.isSessionReused();
    second.destroy();
    return resumed ? 'a session resumes' : 'no session ever resumes';
  },
  async 'TCP cut without close_notify'(t) {
    const target = await startServer(t);
    const { port } = await launch(t, target.port);
    const raw = net.connect({ port, host: '127.0.0.1' });
    const client = new WebSocketClient(tls.connect({ socket: raw, rejectUnauthorized: false }));
    await client.upgrade({ port });
    const there = await target.nextReader();
    raw.destroy();
    return Promise.race([there.rest({ resetOk: true }).then(() => 'the target is told'), sleep(3000).then(() => 'the target is not told')]);
  },
  async 'tiny frames, odd pieces'(t) {
    const { port } = await launch(t, (await startEcho(t)).port);
    const client = await WebSocketClient.open(t, { port, timeout: 20_000 });
    const one = frame(Op.binary, 'x');
    const began = Date.now();
    client.write(Buffer.concat(Array(100_000).fill(one))).catch(() => {});
    const got = await client.bytes(100_000).then(() => 'all arrive', () => 'not all arrive');
    return `${got}, ${((Date.now() - began) / 1000).toFixed(1)} s`;
  },
  async 'a frame behind the request'(t) {
    const { port } = await launch(t, (await startEcho(t)).port);
    const client = await WebSocketClient.open(t, { port, first: frame(Op.binary, 'early'), timeout: 3000 });
    return client.bytes(5).then(() => 'arrives', () => 'is lost');
  },
  async 'a claim of 2^62 bytes'(t) {
    const { port, pid } = await launch(t, (await startEcho(t)).port);
    const client = await WebSocketClient.open(t, { port });
    await sleep(500);
    const before = memory(pid);
    client.socket.write(Buffer.from('82ff400000000000000000000000', 'hex'));
    for (let i = 0; i < 64; i++) client.socket.write(Buffer.alloc(MiB));
    await untilStill('the writing', () => client.socket.bytesWritten - client.socket.writableLength, { quiet: 1000 });
    return `grows by ${kib(memory(pid) - before)} with 64 MiB of it sent, the target ${(await Promise.race([client.frame().then(() => 'gets it as it comes'), sleep(500).then(() => 'gets nothing')]).catch(() => 'gets nothing'))}`;
  },
  async 'a flood of pings'(t) {
    const { port, pid } = await launch(t, (await startEcho(t)).port);
    const client = await WebSocketClient.open(t, { port });
    client.socket.pause();
    await sleep(500);
    const before = memory(pid);
    const pings = Buffer.concat(Array(10_000).fill(frame(Op.ping, Buffer.alloc(125))));
    for (let i = 0; i < 20; i++) client.socket.write(pings);
    const taken = await untilStill('the writing', () => client.socket.bytesWritten - client.socket.writableLength, { quiet: 1000 });
    return `takes ${kib(taken)} of pings without their pongs being read, grows by ${kib(memory(pid) - before)}`;
  },
  async '1,000 half requests'(t) {
    return half(t, 'GET / HTTP/1.1\r\nX: ');
  },
  async '1,000 half TLS hellos'(t) {
    return half(t, Buffer.from('16030102000100', 'hex'));
  },
  async 'out of descriptors'(t) {
    const { port, pid } = await launch(t, (await startEcho(t)).port, { under: ['prlimit', '--nofile=80:80', '--'] });
    const sockets = [];
    for (let i = 0; i < 200; i++) sockets.push(net.connect({ port, host: '127.0.0.1' }).on('error', () => {}));
    await sleep(1500);
    const cpu = () => family(pid).reduce((sum, id) => sum + Number(readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1].split(' ')[11]) + Number(readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1].split(' ')[12]), 0);
    const from = cpu();
    await sleep(2000);
    const load = Math.round((cpu() - from) / 2);
    const processes = family(pid).length;
    for (const socket of sockets) socket.destroy();
    const after = await status(t, port, getOf('/'), { timeout: 5000 }).catch((error) => error.code);
    return `${processes} processes, ${load} % CPU, afterwards ${after}`;
  },
  async 'a browser that takes nothing of 512 MiB'(t) {
    const target = await startServer(t);
    const { port, pid } = await launch(t, target.port);
    const client = await WebSocketClient.open(t, { port });
    const socket = await target.next();
    client.socket.pause();
    return stall(pid, socket, Buffer.alloc(MiB));
  },
  async 'a server that takes nothing of 512 MiB'(t) {
    const target = await startServer(t);
    const { port, pid } = await launch(t, target.port);
    const client = await WebSocketClient.open(t, { port });
    await target.next();
    return stall(pid, client.socket, frame(Op.binary, Buffer.alloc(MiB)));
  },
  async '2,000 connects'(t) {
    const { port, pid } = await launch(t, (await startEcho(t)).port);
    await sleep(1000);
    const before = [descriptors(pid), family(pid).length];
    const began = Date.now();
    for (let i = 0; i < 2000; i++) await new Promise((resolve) => net.connect({ port, host: '127.0.0.1' }, function () { this.destroy(); }).on('error', resolve).on('close', resolve));
    await status(t, port, getOf('/'), { timeout: 30_000 });
    const took = Date.now() - began;
    await sleep(2000);
    const zombies = children(pid).filter((child) => !runs(child.pid)).length;
    return `${(took / 1000).toFixed(1)} s; descriptors ${before[0]} to ${descriptors(pid)}, processes ${before[1]} to ${family(pid).length}, ${zombies} zombies`;
  },
  async 'a target that refuses'(t) {
    const { port } = await launch(t, await refusedPort());
    return openEnd(t, port);
  },
  async 'a target that never answers'(t) {
    const { port } = await launch(t, (await startNeverAnswers(t)).port);
    return openEnd(t, port);
  },
  async 'a target that resets'(t) {
    const target = await startServer(t);
    const { port } = await launch(t, target.port);
    const client = await WebSocketClient.open(t, { port, timeout: 5000 });
    const socket = await target.next();
    await client.send('x');
    socket.resume();
    await sleep(200);
    socket.resetAndDestroy();
    return endOf(client);
  },
  async 'a target that says much and ends'(t) {
    const target = await startServer(t, (socket) => socket.resume().end(randomBytes(3 * MiB)));
    const { port } = await launch(t, target.port);
    const client = await WebSocketClient.open(t, { port, timeout: 5000 });
    const got = await client.closed().catch(() => null);
    return got ? `${got.data.length === 3 * MiB ? 'all' : kib(got.data.length)}, then Close ${got.code}` : 'no Close in time';
  },
  async 'bytes before a Close, slow target'(t) {
    const target = await startServer(t);
    const { port } = await launch(t, target.port);
    const client = await WebSocketClient.open(t, { port, timeout: 5000 });
    const bytes = randomBytes(8 * MiB);
    client.send(bytes).then(() => client.close()).catch(() => {});
    await sleep(1500);
    const reader = await target.nextReader();
    const parts = [];
    let end = 'the end';
    try {
      for (let part; (part = await reader.some()); ) parts.push(part);
    } catch {
      end = 'no end within 10 s';
    }
    const got = Buffer.concat(parts);
    return `${got.equals(bytes) ? 'all' : `${kib(got.length)} of 8 MiB`}, then ${end}`;
  },
  async 'SIGHUP'(t) {
    return signalled(t, 'SIGHUP');
  },
  async 'SIGTERM'(t) {
    return signalled(t, 'SIGTERM');
  },
  async 'a session that does nothing'(t) {
    const { port } = await launch(t, (await startEcho(t)).port, { args: ['--idle-timeout', '2'] });
    const client = await WebSocketClient.open(t, { port });
    await sleep(10_000);
    const goesOn = await echoes(client);
    const { code } = await run(t, 'timeout', ['2', program, '--session-idle-timeout', '1', '127.0.0.1:0', '127.0.0.1:1']);
    return `${goesOn ? 'goes on' : 'has ended'} after 10 s; ${code === 124 ? 'there is' : 'there is no'} --session-idle-timeout`;
  },
  async 'a peer that vanishes'(t) {
    // In a network of its own, where an address comes and goes: nothing answers from there, not even a reset.
    if (!process.env.ALONE) {
      const network = 'ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 arp off && ip addr add 192.0.2.254/24 dev v0 && ip link set v1 up && ip link set v0 up && exec "$@"';
      const words = ['sh', process.execPath, fileURLToPath(import.meta.url), program, 'a peer that vanishes'];
      const { stdout, stderr } = await run(t, 'unshare', ['--net', 'sh', '-c', network, ...words], { env: { ...process.env, ALONE: '1' }, timeout: 200_000 });
      return stdout.trim().replace(/^.*?: /, '') || stderr;
    }
    const vanishing = '192.0.2.1';
    const address = (verb) => run(t, 'ip', ['addr', verb, `${vanishing}/32`, 'dev', 'lo']);
    await address('add');
    const [near, far] = [await startServer(t), await startServer(t, undefined, { port: 0, host: vanishing })];
    const [toNear, toFar] = [await launch(t, near.port), await launch(t, `${vanishing}:${far.port}`)];
    await WebSocketClient.open(t, { port: toNear.port, localAddress: vanishing });
    const target = await near.next();
    const other = await WebSocketClient.open(t, { port: toFar.port });
    await far.next();
    (async () => {
      for (;;) if ((await other.frame()).opcode === Op.ping) await other.write(frame(Op.pong));
    })().catch(() => {});
    await address('del');
    const began = Date.now();
    const busy = setInterval(() => {
      target.write('x');
      other.send('x').catch(() => {});
    }, 1000);
    const seconds = async (ends) => {
      const ended = await Promise.race([ends.then(() => true, () => true), sleep(150_000).then(() => false)]);
      return ended ? `after ${Math.round((Date.now() - began) / 1000)} s` : 'not within 150 s';
    };
    const [ofClient, ofTarget] = await Promise.all([seconds(once(target.resume(), 'end')), seconds(once(other.socket, 'end'))]);
    clearInterval(busy);
    return `the end of a client is noticed ${ofClient}, of a target ${ofTarget}`;
  },
  async 'a target that resets, its client takes nothing'(t) {
    const target = await startServer(t);
    const { port, pid } = await launch(t, target.port);
    await sleep(1500);
    const before = held(pid);
    const out = [];
    for (const reads of [false, true]) {
      const client = await WebSocketClient.open(t, { port });
      const socket = await target.next();
      client.socket.pause();
      for (let i = 0; i < 256; i++) socket.write(Buffer.alloc(65_536));
      const taken = await untilStill('the writing', () => socket.bytesWritten - socket.writableLength, { quiet: 1000 });
      socket.resetAndDestroy();
      const gone = reads ? '' : await letsGo(pid, before, 15_000);
      await sleep(500);
      const end = await endOf(client);
      out.push(`${kib(taken)} taken, ${reads ? 'a client that goes on' : `let go ${gone}, its client`} gets ${kib(client.socket.bytesRead)}, ${end}`);
      client.socket.destroy();
    }
    return out.join('; ');
  },
  async 'out of memory'(t) {
    const flood = await startFlood(t);
    const { port, pid } = await launch(t, flood.port);
    const open = async (first) => {
      const client = await WebSocketClient.open(t, { port, timeout: 5000 });
      await client.send(first);
      return client;
    };
    const works = async () => {
      const client = await open('x');
      await client.bytes(1);
      return (await echoes(client)) && client;
    };
    const size = () => 1024 * Number(/^VmSize:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
    const limit = (more) => run(t, 'prlimit', ['--pid', String(pid), `--as=${more === null ? 'unlimited' : size() + more}:`]);
    const live = await works();
    await sleep(1500);
    await limit(32 * MiB); // children inherit it
    const greedy = [];
    for (let i = 0; i < 5; i++) {
      greedy.push(await open('f'));
      greedy[i].socket.pause();
    }
    await until('their end', () => flood.sockets.size === 1, { timeout: 20_000 }).catch(() => {});
    const left = flood.sockets.size - 1;
    const fresh = await works().then(() => 'works', (error) => `does not work (${error.message.split('\n')[0].slice(0, 60)})`);
    for (const { socket } of greedy) socket.destroy();
    await limit(0);
    const none = await status(t, port, getOf('/')).catch((error) => error.code);
    await limit(null);
    const after = await status(t, port, getOf('/')).catch((error) => error.code);
    return `5 sessions of clients that take nothing, 32 MiB more than at the start for each: ${5 - left} end; one beside them ${(await echoes(live)) ? 'goes on' : 'does not go on'}, a new one ${fresh}; a page with no memory ${none}, with some again ${after}; the program ${runs(pid) ? 'runs on' : 'has ended'}`;
  },
  async 'four sessions that move all they can'(t) {
    const flood = await startFlood(t);
    const { port } = await launch(t, flood.port);
    const session = await WebSocketClient.open(t, { port });
    const roundTrip = async (count) => {
      const times = [];
      for (let i = 0; i < count; i++) {
        const began = performance.now();
        await session.send('x');
        await session.bytes(1);
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[count >> 1].toFixed(1);
    };
    await roundTrip(20);
    const quiet = await roundTrip(100);
    const takers = await startTakers(t, port, 4);
    const busy = await roundTrip(100);
    const marks = takers.map(({ output }) => output.length);
    const page = await status(t, port, getOf('/'), { timeout: 10_000 });
    await sleep(2000);
    const moving = takers.filter(({ output }, i) => output.length > marks[i]).length;
    return `a round trip of ${quiet} ms, then ${busy} ms; a page: ${page}; ${moving} of 4 go on`;
  },
  async 'a reset in each state'(t) {
    const server = await startServer(t);
    const plain = await launch(t, server.port);
    const silent = await launch(t, (await startNeverAnswers(t)).port);
    for (const { folder } of [plain, silent]) writeFileSync(path.join(folder, 'www', 'large'), Buffer.alloc(16 * MiB));
    const hello = await tlsHello(t);
    const raw = async (at = plain) => {
      const socket = await connect(t, { port: at.port });
      return Object.assign(socket, { raw: socket });
    };
    const client = async (secure, at = plain) => {
      const socket = await raw(at);
      if (!secure) return socket;
      const sealed = tls.connect({ socket, rejectUnauthorized: false }).on('error', () => {});
      await once(sealed, 'secureConnect');
      return Object.assign(sealed, { raw: socket });
    };
    const said = async (socket, bytes) => {
      socket.write(bytes);
      await sleep(300);
      return socket;
    };
    const session = async (secure) => {
      const ws = new WebSocketClient(await client(secure), { timeout: 3000 });
      await ws.upgrade({ port: plain.port });
      return { ws, raw: ws.socket.raw, target: await server.next() };
    };
    const middle = async (secure) => {
      const it = await session(secure);
      await it.ws.write(frame(Op.binary, Buffer.alloc(70_000)).subarray(0, 100));
      it.target.resume();
      await sleep(300);
      return it;
    };
    const browserTakesNothing = async (secure) => {
      const it = await session(secure);
      it.ws.socket.pause();
      it.target.write(Buffer.alloc(16 * MiB));
      await untilStill('the writing', () => it.target.bytesWritten - it.target.writableLength);
      return it;
    };
    const targetTakesNothing = async (secure) => {
      const it = await session(secure);
      it.ws.send(Buffer.alloc(16 * MiB)).catch(() => {});
      await untilStill('the writing', () => it.ws.socket.bytesWritten - it.ws.socket.writableLength);
      return it;
    };
    const targetHasEnded = async (secure) => {
      const it = await session(secure);
      it.target.resume().end('last words');
      await sleep(300);
      return it;
    };
    const bothClosed = async (secure) => {
      const it = await session(secure);
      it.target.resume();
      await it.ws.close();
      await it.ws.closed().catch(() => {});
      return it;
    };
    const states = [
      ['nothing said', () => raw()],
      ['half a hello', async () => said(await raw(), hello.subarray(0, hello.length >> 1))],
      ['a hello answered', async () => said(await raw(), hello)],
      ...[false, true].flatMap((secure) => [
        ['half a head', async () => said(await client(secure), 'GET / HTTP/1.1\r\nHost: loc')],
        ['half a file', async () => said((await client(secure)).pause(), 'GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n')],
        ['dialling', async () => said(await client(secure, silent), upgradeRequest({ port: silent.port })), silent],
        ['the middle of a frame', () => middle(secure)],
        ['a client takes nothing', () => browserTakesNothing(secure)],
        ['a target takes nothing', () => targetTakesNothing(secure)],
        ['the target has ended', () => targetHasEnded(secure)],
        ['both have closed', () => bothClosed(secure)],
      ].map(([name, bring, at]) => [`${name}${secure ? ' (TLS)' : ''}`, bring, at])),
    ];
    await sleep(1500);
    const [left, ends] = [[], new Map()];
    for (const [name, bring, at = plain] of states) {
      const before = held(at.pid);
      const it = await bring();
      it.raw.resetAndDestroy();
      const gone = await letsGo(at.pid, before, 12_000);
      if (gone.startsWith('not')) left.push(name);
      server.forget();
    }
    for (const bring of [middle, browserTakesNothing, targetTakesNothing, targetHasEnded]) {
      for (const secure of [false, true]) {
        const before = held(plain.pid);
        const it = await bring(secure);
        it.target.resetAndDestroy();
        const end = await endOf(it.ws);
        ends.set(end, (ends.get(end) ?? 0) + 1);
        it.raw.destroy();
        const gone = await letsGo(plain.pid, before, 12_000);
        if (gone.startsWith('not')) left.push(`${bring.name}, by the target`);
        server.forget();
      }
    }
    const before = held(plain.pid);
    const all = [];
    for (let i = 0; i < 100; i++) all.push(await session(i % 5 === 0));
    for (const { ws, target } of all) {
      ws.send(Buffer.alloc(20_000)).catch(() => {});
      target.write(Buffer.alloc(20_000));
    }
    all.forEach(({ raw: socket, target }, i) => {
      if (i % 3 !== 1) target.resetAndDestroy();
      if (i % 3 !== 2) socket.resetAndDestroy();
      else socket.destroy();
    });
    if ((await letsGo(plain.pid, before, 12_000)).startsWith('not')) left.push('some of 100 at once');
    await sleep(1500);
    const zombies = children(plain.pid).filter(({ pid }) => !runs(pid)).length;
    return `left after 12 s: ${left.join(', ') || 'nothing'}; by the target: ${[...ends].map(([end, count]) => `${end} x${count}`).join(', ')}; ${zombies} zombies; a page: ${await status(t, plain.port, getOf('/'))}`;
  },
  async 'random faults for 10 s'(t) {
    const server = await startServer(t, behave);
    const { port, pid, child } = await launch(t, server.port, { args: ['-v'] });
    const works = async () => {
      const client = await WebSocketClient.open(t, { port });
      await client.send('e');
      const answers = await echoes(client);
      client.socket.destroy();
      return answers;
    };
    await works();
    await sleep(2000);
    const before = [held(pid), family(pid).length];
    const [end, wrong] = [Date.now() + 10_000, []];
    await Promise.all(Array.from({ length: 12 }, (_, i) => randomClient(randomOf(4711, `client ${i}`), port, () => Date.now() < end, wrong, { early: false })));
    const gone = await letsGo(pid, before[0], 15_000);
    const worked = await works().catch(() => false);
    await sleep(1000);
    const zombies = children(pid).filter((each) => !runs(each.pid)).length;
    const trouble = child.output.match(/^\S*(Traceback|\w*Error\b|handler exception).*$/gm)?.length ?? 0;
    const after = [held(pid), family(pid).length];
    child.kill('SIGTERM');
    const { code, signal } = await child.exited;
    return `let go ${gone}: descriptors ${before[0]} to ${after[0]}, processes ${before[1]} to ${after[1]}, ${zombies} zombies; a session ${worked ? 'works' : 'does not work'}; ${trouble} exceptions in the log; wrong: ${[...new Set(wrong.map((text) => text.replace(/\d+/g, 'N')))].join(', ') || 'nothing'} (${wrong.length}); exit ${signal ?? code}`;
  },
  async 'a target of few bytes at a time'(t) {
    const noise = randomBytes(300_000);
    const { port } = await launch(t, (await startTrickle(t, noise)).port);
    const ends = await Promise.all(Array.from({ length: 5 }, async () => {
      const client = await WebSocketClient.open(t, { port, timeout: 20_000 });
      const sending = client.send(noise);
      if (!(await client.bytes(noise.length)).equals(noise)) return 'not what was sent';
      const digest = await client.bytes(32);
      await sending;
      if (!digest.equals(createHash('sha256').update(noise).digest())) return 'not what was received';
      return `byte for byte, ${await endOf(client)}`;
    }).map((one) => one.catch((error) => error.message.slice(0, 60))));
    return [...new Set(ends)].join('; ');
  },
  async 'a dead name server'(t) {
    const server = await deadNameServer(t);
    const under = server && (await ownResolvConf(t, `nameserver ${server.address}\noptions timeout:30\n`));
    if (!under) return 'needs port 53 and a mount namespace';
    const { port, pid } = await launch(t, 'desktop.example:5900', { under });
    const before = family(pid).length;
    const began = Date.now();
    const ends = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const client = await WebSocketClient.open(t, { port, timeout: 100_000 });
      if (i > 0) return endOf(client);
      await client.write(frame(Op.ping, 'hello?'));
      const pong = await Promise.race([client.frame().then(({ opcode }) => opcode === Op.pong), sleep(2000).then(() => false)]);
      const page = await status(t, port, getOf('/'));
      return { pong, page, processes: family(pid).length };
    }));
    const [first, ...rest] = ends;
    return `${[...new Set(rest)].join(', ')} after ${Math.round((Date.now() - began) / 1000)} s; a page meanwhile: ${first.page}, pings ${first.pong ? 'are' : 'are not'} answered, processes ${before} to ${first.processes}`;
  },
  async 'descriptors for a program that is started'(t) {
    const out = path.join(tempDir(t), 'out');
    // started with one that is not close-on-exec
    const { port, pid } = await launch(t, ['sh', '-c', `ls -l /proc/self/fd >${out}.new; mv ${out}.new ${out}; exec sleep 100`], { under: ['sh', '-c', 'exec 9</dev/null; exec "$@"', 'sh'], ready: false });
    await until('the list', () => existsSync(out));
    const list = [...readFileSync(out, 'utf8').matchAll(/ (\d+) -> (.*)$/gm)].filter(([, , to]) => !/\/proc\/\d+\/fd$/.test(to) && to !== `${out}.new`).map(([, fd, to]) => `${fd} ${to.replace(/\d+/, 'N')}`);
    await until('the port', () => connect(t, { port }).then((socket) => socket.destroy(), () => false));
    const idle = await connect(t, { port });
    await sleep(500);
    const listeners = family(pid).filter((id) => listens(id, port)).length;
    idle.destroy();
    return `${list.join(', ')}; ${listeners} of ${family(pid).length} processes hold the listening socket`;
  },
  async 'a wall clock that jumps'(t) {
    const library = await jumpingClock(t);
    const env = { LD_PRELOAD: library };
    const target = await startServer(t);
    const beating = await launch(t, target.port, { env, args: ['--heartbeat', '60'] });
    const client = await WebSocketClient.open(t, { port: beating.port });
    let pings = 0;
    (async () => {
      for (;;) if ((await client.frame()).opcode === Op.ping) pings += 1;
    })().catch(() => {});
    const there = await target.next();
    const noise = setInterval(() => there.write('x'), 100);
    await sleep(6000);
    clearInterval(noise);
    const ending = await launch(t, target.port, { env, args: ['--idle-timeout', '3600'], ready: false });
    const end = await Promise.race([ending.child.exited.then(({ code }) => `exits with ${code}`), sleep(8000).then(() => 'runs on')]);
    return `${pings} pings in 6 s of --heartbeat 60 with bytes ten times a second; with --idle-timeout 3600 it ${end}`;
  },
  async 'a flood of fragments'(t) {
    const { port, pid } = await launch(t, (await startEcho(t)).port);
    const client = await WebSocketClient.open(t, { port, timeout: 30_000 });
    const [first, middle, last] = [[Op.binary, false], [Op.continuation, false], [Op.continuation, true]].map(([op, fin]) => frame(op, 'x', { fin }));
    const began = Date.now();
    client.write(Buffer.concat([first, ...Array(99_998).fill(middle), last])).catch(() => {});
    const whole = await client.bytes(100_000).then(() => `all arrive, ${((Date.now() - began) / 1000).toFixed(1)} s`, () => 'not all arrive');
    const endless = await WebSocketClient.open(t, { port });
    let got = 0;
    (async () => {
      for (;;) got += (await endless.data()).length;
    })().catch(() => {});
    await sleep(500);
    const before = memory(pid);
    const piece = frame(Op.continuation, Buffer.alloc(1000), { fin: false });
    const some = Buffer.concat(Array(1024).fill(piece));
    endless.socket.write(first);
    for (let i = 0; i < 64; i++) endless.socket.write(some);
    await sleep(10_000);
    return `100,000 of a byte: ${whole}; of a message without end it takes ${kib(endless.socket.bytesWritten - endless.socket.writableLength)} in 10 s and grows by ${kib(memory(pid) - before)}, ${kib(got)} come back`;
  },
  async 'plain and TLS on one port'(t) {
    const { port } = await launch(t, (await startEcho(t)).port, { args: ['--ssl-only'] });
    const noise = [];
    for (let i = 0; i < 20; i++) noise.push(await answerTo(t, port, Buffer.concat([Buffer.from([0x16, 3, 1, 0, 60]), randomBytes(60)])));
    const kind = (answer) => (answer.charCodeAt(0) === 0x15 ? 'an alert' : statusOf(answer));
    return `--ssl-only: a page ${await status(t, port, getOf('/'))}, a WebSocket ${await status(t, port, upgradeRequest({ port }))}; noise behind 0x16: ${[...new Set(noise.map(kind))].join(', ')}`;
  },
  async 'sslscan'(t) {
    const { port } = await launch(t, 5900);
    const { stdout } = await run(t, 'sslscan', ['--no-colour', '--xml=-', `127.0.0.1:${port}`], { timeout: 120_000 });
    const all = (pattern) => [...stdout.matchAll(pattern)].map((match) => match.slice(1).join(' '));
    const ciphers = [...new Set(all(/<cipher\b[^>]* cipher="([^"]+)"/g))];
    const weak = ciphers.filter((name) => !/^TLS_|^ECDHE.*(GCM|POLY1305|CCM)/.test(name));
    const groups = [...new Set(all(/<group\b[^>]* name="([^"]+)"/g))];
    return `${all(/<protocol type="(\w+)" version="([\d.]+)" enabled="1"/g).join(', ')}; ${ciphers.length} ciphers, without ECDHE and AEAD: ${weak.join(', ') || 'none'}; groups ${groups.join(', ')}; renegotiation ${all(/<renegotiation supported="(\d)"/g)}, compression ${all(/<compression supported="(\d)"/g)}`;
  },
  async 'a full disk for the log'(t) {
    const log = path.join(tempDir(t), 'log');
    const { port } = await launch(t, (await startEcho(t)).port, { under: ['prlimit', '--fsize=4096:', '--'], args: ['-v', '--log-file', log] });
    for (let i = 0; i < 100; i++) await status(t, port, getOf(`/none/${'x'.repeat(500)}`)).catch(() => {});
    return `served then: ${await status(t, port, getOf('/')).catch((error) => error.code)}, a session: ${await WebSocketClient.open(t, { port }).then(() => 'opens', (error) => error.message.slice(0, 40))}`;
  },
  async 'escapes and lines in logs'(t) {
    const log = path.join(tempDir(t), 'log');
    const { port, child } = await launch(t, 5900, { args: ['-v', '--log-file', log] });
    await answerTo(t, port, 'GET /\x1b[2J\x9b31m HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x1b]0;t\x07\r\n\r\n');
    await answerTo(t, port, 'GET /a\x0bb HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n');
    await sleep(500);
    const all = child.output + (existsSync(log) ? readFileSync(log, 'latin1') : '');
    // eslint-disable-next-line no-control-regex -- they are what is looked for
    return /[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(all) ? 'control bytes in the log' : 'none in the log';
  },
  async 'a link where the log should be'(t) {
    const folder = tempDir(t);
    const [victim, link] = ['victim', 'log'].map((name) => path.join(folder, name));
    writeFileSync(victim, '');
    symlinkSync(victim, link);
    const { port, child } = await launch(t, 5900, { args: ['-v', '--log-file', link], ready: false });
    await sleep(2000);
    if (child.exitCode !== null) return `refused: ${child.output.trim().split('\n').at(-1)}`;
    await answerTo(t, port, getOf('/'));
    await sleep(300);
    return readFileSync(victim, 'utf8').length > 0 ? 'followed' : 'not written';
  },
  async 'a token in the URL'(t) {
    const { port, child } = await launch(t, (await startEcho(t)).port, { args: ['-v'] });
    const client = await WebSocketClient.open(t, { port, path: '/websockify?token=SECRET' });
    client.socket.destroy();
    await sleep(500);
    return child.output.includes('SECRET') ? 'in the log' : 'not in the log';
  },
  async 'a password on the command line'(t) {
    const { pid } = await launch(t, 5900, { args: ['--key-password', 'SECRET'] });
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('SECRET') ? 'ps shows it' : 'ps does not show it';
  },
  async 'a target with a certificate of nobody'(t) {
    const { cert, key } = await makeCertificate(t);
    const target = await startTlsServer(t, { cert, key });
    const { port } = await launch(t, target.port, { args: ['--ssl-target'] });
    const client = await WebSocketClient.open(t, { port, timeout: 4000 });
    await client.send('secret');
    return client.bytes(6).then(() => 'trusted', () => 'refused');
  },
  async 'a TLS hello where there is no TLS'(t) {
    const { port } = await launch(t, 5900, { cert: false });
    const hello = Buffer.concat([Buffer.from('160301002a', 'hex'), Buffer.from('01000026', 'hex'), Buffer.from('0303', 'hex'), Buffer.alloc(36)]);
    const answer = await answerTo(t, port, hello, { timeout: 5000 });
    return answer.charCodeAt(0) === 0x15 ? 'an alert' : answer.slice(0, 30);
  },
  async 'core dumps'(t) {
    const { pid } = await launch(t, 5900, { under: ['prlimit', '--core=unlimited', '--'] });
    return `limit ${/^Max core file size\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))[1]}`;
  },
  async 'headers of a page, echoes'(t) {
    const { port } = await launch(t, 5900);
    const answer = await answerTo(t, port, getOf('/'));
    const missing = await answerTo(t, port, getOf('/<script>alert(1)</script>'));
    const has = ['Content-Security-Policy', 'X-Content-Type-Options', 'X-Frame-Options', 'Referrer-Policy'].filter((name) => new RegExp(`\r\n${name}:`, 'i').test(answer));
    return `${has.join(', ') || 'no protective header'}; Server: ${/\r\nServer: (.*)\r\n/.exec(answer)?.[1] ?? 'none'}; ${missing.includes('<script>alert') ? 'echoes the path' : 'no echo'}`;
  },
  async 'numbers that are none'(t) {
    const out = [];
    for (const port of ['99999', '5900x', '0x170c', '-1', '']) {
      const { code } = await run(t, 'timeout', ['2', program, '127.0.0.1:0', `127.0.0.1:${port}`]).catch(() => ({ code: '?' }));
      out.push(`"${port}" ${code === 124 ? 'taken' : `exit ${code}`}`);
    }
    return out.join(', ');
  },
};

/** Whether a process holds the socket that listens on `port`. */
function listens(pid, port) {
  const line = readFileSync('/proc/net/tcp', 'utf8').split('\n').find((text) => text.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`));
  const inode = line?.trim().split(/\s+/)[9];
  return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
}

async function half(t, first) {
  const { port, pid } = await launch(t, (await startEcho(t)).port);
  await sleep(500);
  const before = memory(pid);
  const sockets = [];
  for (let i = 0; i < 1000; i++) {
    const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {}).resume();
    sockets.push(socket);
    socket.write(first);
    if (i % 50 === 49) await sleep(50);
  }
  t.add(() => sockets.forEach((socket) => socket.destroy()));
  await sleep(5000);
  const [processes, grown] = [family(pid).length, memory(pid) - before];
  const began = Date.now();
  const page = await status(t, port, getOf('/'), { timeout: 10_000 }).catch((error) => error.code);
  const took = Date.now() - began;
  await sleep(15_000);
  const left = sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length;
  return `${processes} processes, ${kib(grown)}; a page: ${page} after ${took} ms; ${left} left after 20 s`;
}

async function stall(pid, socket, piece) {
  await sleep(500);
  const before = memory(pid);
  (async () => {
    for (let i = 0; i < 512; i++) await new Promise((resolve, reject) => socket.write(piece, (error) => (error ? reject(error) : resolve())));
  })().catch(() => {});
  const taken = await untilStill('the writing', () => socket.bytesWritten - socket.writableLength, { quiet: 1500, timeout: 60_000 });
  return `takes ${kib(taken)}, grows by ${kib(memory(pid) - before)}`;
}

async function openEnd(t, port) {
  const began = Date.now();
  const client = await WebSocketClient.open(t, { port, timeout: 20_000 }).catch((error) => error);
  if (client instanceof Error) return client.message.slice(0, 60);
  return `${await endOf(client)} after ${Math.round((Date.now() - began) / 1000)} s`;
}

async function signalled(t, signal) {
  const { port, child } = await launch(t, (await startEcho(t)).port);
  const client = await WebSocketClient.open(t, { port, timeout: 4000 });
  await client.send('x');
  await client.bytes(1);
  child.kill(signal);
  await sleep(500);
  const alive = await client.send('y').then(() => client.bytes(1)).then(() => 'the session goes on', (error) => (/1001/.test(error.message) ? 'Close 1001' : 'no Close'));
  const gone = await Promise.race([child.exited.then(({ code, signal: by }) => `exit ${by ?? code}`), sleep(3000).then(() => 'it runs on')]);
  return `${alive}, ${gone}`;
}

for (const [name, attack] of Object.entries(attacks)) {
  if (!name.includes(words)) continue;
  const t = new Scope();
  const outcome = await attack(t).catch((error) => `failed: ${error.message.split('\n')[0]}`);
  await t.close().catch(() => {});
  console.log(`${name}: ${outcome}`);
}
process.exit();

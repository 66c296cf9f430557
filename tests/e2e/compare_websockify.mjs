// No test: asks a program that takes websockify's command line what becomes of each attack of tests/README.md, by the
// attack's essential bytes, and prints a line for each.
//
//   node compare_websockify.mjs [PROGRAM [WORDS]]     PROGRAM is websockify unless said; WORDS picks attacks by name
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Reader } from './support/bytes.mjs';
import { HttpClient } from './support/http.mjs';
import { children, descriptors, runs } from './support/processes.mjs';
import { Scope, run, start, tempDir, until, untilStill } from './support/scope.mjs';
import { refusedPort, startEcho, startNeverAnswers, startServer } from './support/servers.mjs';
import { makeCertificate, startTlsServer } from './support/tls.mjs';
import { Op, WebSocketClient, connect, frame, upgradeRequest } from './support/websocket.mjs';

const [program = 'websockify', words = ''] = process.argv.slice(2);
const MiB = 1 << 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const kib = (bytes) => (bytes >= MiB ? `${Math.round(bytes / MiB)} MiB` : `${Math.round(bytes / 1024)} KiB`);

/** A process and all its descendants. */
const family = (pid) => [pid, ...children(pid).flatMap((child) => family(child.pid))].filter(runs);
const memory = (pid) => family(pid).reduce((sum, id) => sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0), 0);

/** The program in front of `target`, with a page and a certificate. */
async function launch(t, target, { args = [], under = [], ready = true, cert = true } = {}) {
  const folder = tempDir(t);
  const web = path.join(folder, 'www');
  mkdirSync(path.join(web, 'listed'), { recursive: true });
  writeFileSync(path.join(web, 'index.html'), 'page');
  writeFileSync(path.join(web, 'listed', 'private.txt'), 'private');
  writeFileSync(path.join(folder, 'secret.txt'), 'SECRET');
  symlinkSync(path.join(folder, 'secret.txt'), path.join(web, 'link'));
  const { both } = await makeCertificate(t, { folder });
  const port = await refusedPort();
  const line = [program, ...args, '--web', web, ...(cert ? ['--cert', both] : []), `127.0.0.1:${port}`, typeof target === 'number' ? `127.0.0.1:${target}` : target];
  const child = start(t, under[0] ?? line[0], under.length > 0 ? [...under.slice(1), ...line] : line.slice(1));
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
    const has = ['Content-Security-Policy', 'X-Content-Type-Options', 'X-Frame-Options'].filter((name) => new RegExp(`\r\n${name}:`, 'i').test(answer));
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

// TCP cut by a reset in every state of a session, from either side: that session ends, nothing is left of it, and
// the daemon goes on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { beforeEach } from 'node:test';
import tls from 'node:tls';
import { descriptors } from './support/processes.mjs';
import { Proxy } from './support/proxy.mjs';
import { fileScope, scopeOf, tempDir, until, untilStill } from './support/scope.mjs';
import { startNeverAnswers, startServer } from './support/servers.mjs';
import { makeCertificate, tlsHello } from './support/tls.mjs';
import { Op, WebSocketClient, connect, frame, upgradeRequest } from './support/websocket.mjs';

const MiB = 1 << 20;
const scope = fileScope();
const certificate = await makeCertificate(scope);
const web = tempDir(scope);
writeFileSync(path.join(web, 'large'), Buffer.alloc(16 * MiB));
const args = ['--cert', certificate.cert, '--key', certificate.key, '--web', web, '--handshake-timeout', '60'];
const patient = ['--drain-timeout', '60', '--connect-timeout', '60']; // what ends does so at once, not by a time-out
const server = await startServer(scope);
const never = await startNeverAnswers(scope);
const proxy = await Proxy.start(scope, server.port, { args: [...args, ...patient] });
const silent = await Proxy.start(scope, never.port, { args: [...args, ...patient] });
// Where bytes of the client are still due at the target, a time-out is the end.
const brief = await Proxy.start(scope, server.port, { args: [...args, '--drain-timeout', '2'] });
const briefSilent = await Proxy.start(scope, never.port, { args: [...args, '--connect-timeout', '2'] });
const hello = await tlsHello(scope);

beforeEach(() => server.forget());

/**
 * The phases of all connections, as SIGQUIT has them in the log. Null when they did not come whole: some ended while
 * they were listed, or we read so slowly that lines were lost.
 */
async function phases(daemon) {
  const from = daemon.log.length;
  daemon.child.kill('SIGQUIT');
  const table = () => {
    const [, count, lines] = /SIGQUIT: \d+ sessions?, (\d+) connections?\b.*\n([^]*)/.exec(daemon.log.slice(from)) ?? [];
    const found = [...(lines ?? '').matchAll(/ \[s\d+ \S+\] ([a-z-]+) age=.*\n/g)].map((match) => match[1]);
    return found.length === Number(count) && found;
  };
  return until('the answer to SIGQUIT', table, { timeout: 500 }).catch(() => null);
}

const reaches = (daemon, wanted) => {
  let seen = [];
  return until(
    `the phases [${wanted}]`,
    async () => {
      seen = await phases(daemon);
      return String(seen) === String(wanted);
    },
    { last: () => String(seen) },
  );
};

/** A client by TCP or TLS; `.raw` is its TCP. */
async function rawClient(t, daemon, secure) {
  const raw = await connect(t, { port: daemon.port });
  if (!secure) return Object.assign(raw, { raw });
  const socket = tls.connect({ socket: raw, rejectUnauthorized: false, servername: 'localhost' });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return Object.assign(socket, { raw });
}

async function session(t, secure, daemon = proxy) {
  const client = new WebSocketClient(await rawClient(t, daemon, secure));
  await client.upgrade({ port: daemon.port });
  return { client, raw: client.socket.raw, target: await server.next() };
}

/** A session whose target says much and whose client takes nothing of it. */
async function stalled(t, secure) {
  const it = await session(t, secure);
  it.client.socket.pause();
  it.target.write(Buffer.alloc(16 * MiB));
  await untilStill("the target's writing", () => it.target.bytesWritten - it.target.writableLength, { quiet: 200 });
  return it;
}

// What brings a connection into a state gives { raw, target }: whom to cut.
const states = [
  { name: 'nothing said yet', phase: 'sniff', bring: async (t) => ({ raw: await connect(t, { port: proxy.port }) }) },
  {
    name: 'half a TLS hello',
    phase: 'tls-handshake',
    bring: async (t) => {
      const raw = await connect(t, { port: proxy.port });
      raw.write(hello.subarray(0, hello.length >> 1));
      return { raw };
    },
  },
  {
    name: 'the TLS hello answered',
    phase: 'tls-handshake',
    bring: async (t) => {
      const raw = await connect(t, { port: proxy.port });
      raw.write(hello);
      await once(raw, 'data');
      return { raw };
    },
  },
  ...[false, true].flatMap((secure) => [
    {
      name: 'half a request head',
      phase: 'read-request',
      secure,
      bring: async (t) => {
        const client = await rawClient(t, proxy, secure);
        client.write('GET / HTTP/1.1\r\nHost: loc');
        return client;
      },
    },
    {
      name: 'a file half sent',
      phase: 'respond',
      secure,
      bring: async (t) => {
        const client = await rawClient(t, proxy, secure);
        client.pause();
        client.write('GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n');
        return client;
      },
    },
    {
      name: 'the target being dialled',
      phase: 'connect',
      daemon: silent,
      secure,
      bring: async (t) => {
        const client = await rawClient(t, silent, secure);
        client.write(upgradeRequest({ port: silent.port }));
        return client;
      },
    },
    {
      name: 'the target being dialled, half a frame sent',
      phase: 'connect',
      daemon: briefSilent,
      secure,
      bring: async (t) => {
        const client = await rawClient(t, briefSilent, secure);
        client.write(upgradeRequest({ port: briefSilent.port }));
        client.write(frame(Op.binary, Buffer.alloc(1000)).subarray(0, 100));
        return client;
      },
    },
    {
      name: 'in the middle of a frame',
      phase: 'relay',
      secure,
      target: 1001,
      bring: async (t) => {
        const it = await session(t, secure);
        await it.client.write(frame(Op.binary, Buffer.alloc(70_000)).subarray(0, 100));
        await once(it.target.resume(), 'data');
        return it;
      },
    },
    { name: 'a client that takes nothing of a flood', phase: 'relay', secure, target: 1001, bring: (t) => stalled(t, secure) },
    {
      name: 'a target that takes nothing of a flood',
      phase: 'relay',
      daemon: brief,
      secure,
      target: 1001,
      bring: async (t) => {
        const it = await session(t, secure, brief);
        it.client.send(Buffer.alloc(16 * MiB)).catch(() => {});
        await untilStill("the client's writing", () => it.client.socket.bytesWritten - it.client.socket.writableLength, { quiet: 200 });
        return it;
      },
    },
    {
      name: 'the target has ended, the client does not answer the Close',
      phase: 'drain',
      secure,
      target: 1000,
      bring: async (t) => {
        const it = await session(t, secure);
        it.target.resume().end('last words');
        return it;
      },
    },
    {
      name: 'both have closed, TCP is still open',
      secure,
      bring: async (t) => {
        const it = await session(t, secure);
        it.target.resume();
        await it.client.close();
        assert.equal((await it.client.closed()).code, 1000);
        return it;
      },
    },
  ]),
];

const name = (state) => `${state.name}${state.secure ? ', by TLS' : ''}`;

/** Brings a connection into the state, cuts it by `cut`, and sees that nothing is left of it. */
async function survives(t, state, cut) {
  const daemon = state.daemon ?? proxy;
  await reaches(daemon, []);
  const before = descriptors(daemon.pid);
  const it = await state.bring(t);
  if (state.phase) await reaches(daemon, [state.phase]);
  await cut(it);
  await reaches(daemon, []);
  await until('the descriptors as before', () => descriptors(daemon.pid) === before, { last: () => `${descriptors(daemon.pid)}, not ${before}` });
}

for (const state of states) {
  test(`the client resets, ${name(state)}`, (t) => survives(t, state, ({ raw }) => raw.resetAndDestroy()));
}

for (const state of states.filter(({ target }) => target)) {
  test(`the target resets, ${name(state)}: Close ${state.target}`, (t) =>
    survives(t, state, async ({ client, raw, target }) => {
      target.resetAndDestroy();
      assert.equal((await client.closed()).code, state.target);
      raw.destroy();
    }));
}

test('the target resets as soon as it has accepted: Close 1001 or 1011', async (t) => {
  const rude = await startServer(t, (socket) => socket.resetAndDestroy());
  const daemon = await Proxy.start(t, rude.port, { args });
  const before = descriptors(daemon.pid);
  for (let i = 0; i < 20; i++) {
    const client = await WebSocketClient.open(t, { port: daemon.port });
    assert.ok([1001, 1011].includes((await client.closed()).code));
    client.socket.destroy();
  }
  await reaches(daemon, []);
  assert.equal(descriptors(daemon.pid), before);
});

test('100 sessions cut on both sides at the same moment, with bytes under way', async (t) => {
  const before = descriptors(proxy.pid);
  const all = [];
  for (let i = 0; i < 100; i++) all.push(await session(t, i % 5 === 0));
  for (const { client, target } of all) {
    client.send(Buffer.alloc(20_000)).catch(() => {});
    target.write(Buffer.alloc(20_000));
  }
  // Stopped, it finds all of it at once.
  proxy.child.kill('SIGSTOP');
  scopeOf(t).add(() => proxy.child.kill('SIGCONT'));
  all.forEach(({ client, raw, target }, i) => {
    client.close().catch(() => {});
    if (i % 3 !== 1) target.resetAndDestroy();
    if (i % 3 !== 2) raw.resetAndDestroy();
    else client.socket.destroy();
  });
  proxy.child.kill('SIGCONT');
  await reaches(proxy, []);
  await until('the descriptors as before', () => descriptors(proxy.pid) === before);
});

test('after all of this a session works as ever', async (t) => {
  const { client, target } = await session(t, true);
  await client.send('hello');
  assert.equal(String((await once(target.resume(), 'data'))[0]), 'hello');
});

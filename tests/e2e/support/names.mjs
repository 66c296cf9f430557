// A name server that is dead, and how a program comes to ask it.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, scopeOf, tempDir } from './scope.mjs';

/** An address that takes DNS questions on port 53 and answers none. */
export async function deadNameServer(t) {
  const socket = dgram.createSocket('udp4');
  scopeOf(t).add(() => socket.close());
  const address = '127.0.53.53';
  let asked = 0;
  socket.on('message', () => asked++);
  try {
    socket.bind(53, address);
    await once(socket, 'listening');
    return { address, asked: () => asked };
  } catch {
    return null; // not root, or somebody is there
  }
}

/** What gives a program a /etc/resolv.conf of its own, as root or by a user namespace; null where neither works. */
export async function ownResolvConf(t, text) {
  const file = path.join(tempDir(t), 'resolv.conf');
  writeFileSync(file, text);
  for (const more of [[], ['--map-root-user']]) {
    const under = ['unshare', '--mount', ...more, 'sh', '-c', 'mount --bind "$0" "$(realpath /etc/resolv.conf)" && exec "$@"', file];
    const { code } = await run(t, under[0], [...under.slice(1), 'true']).catch(() => ({}));
    if (code === 0) return under;
  }
  return null;
}

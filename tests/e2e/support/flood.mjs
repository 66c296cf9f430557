// Sessions that move all they can, as programs of their own: what is measured beside them is the proxy's turn.
import { start, until } from './scope.mjs';
import { startServer } from './servers.mjs';
import { upgradeRequest } from './websocket.mjs';

/** A target that echoes to whom begins with an x, and sends to anybody else for as long as it is taken. */
export function startFlood(t) {
  return startServer(t, (socket) => {
    socket.once('data', (first) => {
      if (String(first) === 'x') {
        socket.write(first);
        socket.pipe(socket);
        return;
      }
      const bytes = Buffer.alloc(1 << 20);
      const pour = () => {
        while (socket.writable && socket.write(bytes) === true);
      };
      socket.on('drain', pour).resume();
      pour();
    });
    socket.resume();
  });
}

/** `count` clients of a proxy in front of it that take all there is. Each says `more` after every 4 MB; done once all have. */
export async function startTakers(t, port, count) {
  const program = `const s = require('net').connect(${port}, '127.0.0.1'); let n = 0;
    s.write(${JSON.stringify(upgradeRequest({ port }))});
    s.once('data', () => s.write(Buffer.from('82810000000066', 'hex'))); s.on('data', (d) => { n += d.length; if (n > 4e6) { n = 0; console.log('more'); } });`;
  const takers = Array.from({ length: count }, () => start(t, process.execPath, ['-e', program]));
  await until('the floods', () => takers.every(({ output }) => output.length > 0));
  return takers;
}

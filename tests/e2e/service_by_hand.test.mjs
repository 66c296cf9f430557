// By hand, and in place of websockify: the command line that noVNC's utils/novnc_proxy runs, word for word.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { get } from './support/http.mjs';
import { install } from './support/installed.mjs';
import { run, scopeOf, start, tempDir, until, within } from './support/scope.mjs';
import { refusedPort, startEcho } from './support/servers.mjs';
import { makeCertificate } from './support/tls.mjs';
import { WebSocketClient } from './support/websocket.mjs';

async function echoes(client) {
  await client.send('through');
  assert.equal((await client.bytes(7)).toString(), 'through');
}

for (const secure of [false, true]) {
  test(`as websockify, first in PATH and run as novnc_proxy does, ${secure ? 'with TLS alone' : 'plain'}: serves, and ends with SIGTERM`, async (t) => {
    const at = await install(t);
    const web = tempDir(t);
    writeFileSync(`${web}/vnc.html`, 'theirs');
    const { cert, key } = await makeCertificate(t);
    const target = await startEcho(t);
    const port = await refusedPort();
    // utils/novnc_proxy of noVNC 1.7.0, from the search for websockify to the end; its variables are set by its options.
    const script = `
      WEBSOCKIFY_FROMSYSTEM=$(type -P websockify 2>/dev/null)
      [ -f $WEBSOCKIFY_FROMSYSTEM ] && WEBSOCKIFY=$WEBSOCKIFY_FROMSYSTEM
      cleanup() { trap - TERM QUIT INT EXIT; trap "true" CHLD; if [ -n "\${proxy_pid}" ]; then kill \${proxy_pid}; fi; }
      trap "cleanup" TERM QUIT INT EXIT
      \${WEBSOCKIFY} \${SYSLOG_ARG} \${SSLONLY} \${FILEONLY_ARG} --web \${WEB} \${CERT:+--cert \${CERT}} \${KEY:+--key \${KEY}} \${LISTEN} \${VNC_DEST} \${HEARTBEAT_ARG} \${IDLETIMEOUT_ARG} \${RECORD:+--record \${RECORD}} \${TIMEOUT_ARG} \${WEBAUTH_ARG} \${AUTHPLUGIN_ARG} \${AUTHSOURCE_ARG} &
      proxy_pid="$!"
      sleep 1
      if [ -z "$proxy_pid" ] || ! ps -eo pid= | grep -w "$proxy_pid" > /dev/null; then echo "Failed to start WebSockets proxy"; exit 1; fi
      echo "pid $proxy_pid"
      wait \${proxy_pid}`;
    const child = start(t, 'bash', ['-c', script], {
      env: {
        PATH: `${at.prefix}/bin:${process.env.PATH}`, WEB: web, LISTEN: `127.0.0.1:${port}`, VNC_DEST: `127.0.0.1:${target.port}`,
        FILEONLY_ARG: '--file-only', HEARTBEAT_ARG: '--heartbeat 30', IDLETIMEOUT_ARG: '--idle-timeout 600', TIMEOUT_ARG: '--timeout 3600',
        ...(secure ? { SSLONLY: '--ssl-only', CERT: cert, KEY: key } : {}),
      },
    });
    const pid = Number(await until('it to be alive a second later', () => /^pid (\d+)$/m.exec(child.output)?.[1], { last: () => child.output }));
    const page = await get(t, port, '/vnc.html', {}, { secure });
    assert.equal(page.body.toString(), 'theirs');
    await echoes(await WebSocketClient.open(t, { port, secure }));
    child.kill('SIGTERM');
    await within(5000, 'the end of both', child.exited);
    await until('the end of the proxy', () => !existsSync(`/proc/${pid}`));
  });
}

test('-D with a pid file: in the background once it serves, and gone with its pid file after SIGTERM', async (t) => {
  const at = await install(t);
  const target = await startEcho(t);
  const port = await refusedPort();
  const pidFile = `${at.run}/wsproxy.pid`;
  scopeOf(t).add(() => existsSync(pidFile) && process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL'));
  const { code, stderr } = await run(t, at.program, ['-D', '--pid-file', pidFile, `127.0.0.1:${port}`, `127.0.0.1:${target.port}`]);
  assert.equal(code, 0, stderr);
  const client = await WebSocketClient.open(t, { port });
  await echoes(client);
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
  assert.equal((await client.closed()).code, 1001);
  await client.finish({ code: 1001 });
  await until('the pid file to go', () => !existsSync(pidFile));
});

// The programs that are compared: how each is started as a relay from `listen` to `target`, both ports of 127.0.0.1.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const npm = fileURLToPath(new URL('../peers/npm', import.meta.url));
const streamModule = '/etc/nginx/modules-enabled/50-mod-stream.conf';

function nginx(at, { tls, web }) {
  const listen = `listen 127.0.0.1:${at.listen}${tls ? ' ssl' : ''} backlog=4096;`;
  const secure = tls ? `ssl_certificate ${at.cert}; ssl_certificate_key ${at.key}; ssl_session_cache shared:x:10m; ssl_protocols TLSv1.2 TLSv1.3;` : '';
  const stream = `stream { access_log off; ${secure}
    server { ${listen} proxy_pass 127.0.0.1:${at.target}; proxy_timeout 600s; tcp_nodelay on; } }`;
  const http = `http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; ${secure}
    server { ${listen} root ${at.web}; } }`;
  writeFileSync(`${at.folder}/nginx.conf`, `daemon off; user root; worker_processes 1; worker_rlimit_nofile 20000;
    pid ${at.folder}/nginx.pid; error_log /dev/null crit;
    ${!web && existsSync(streamModule) ? `include ${streamModule};` : ''}
    events { worker_connections 19990; }
    ${web ? http : stream}`);
  return ['nginx', '-c', `${at.folder}/nginx.conf`];
}

function haproxy(at, { tls }) {
  writeFileSync(`${at.folder}/haproxy.cfg`, `global
  maxconn 9950
  nbthread 1
  no strict-limits
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen relay
  bind 127.0.0.1:${at.listen} backlog 4096${tls ? ` ssl crt ${at.pem}` : ''}
  server target 127.0.0.1:${at.target}
`);
  return ['haproxy', '-db', '-f', `${at.folder}/haproxy.cfg`];
}

const webOptions = (at, { tls, web }) => [...(tls ? [`--cert=${at.cert}`, `--key=${at.key}`] : []), ...(web ? [`--web=${at.web}`] : [])];
const fromTo = (at) => [`127.0.0.1:${at.listen}`, `127.0.0.1:${at.target}`];

/** `raw`: speaks no WebSocket, so the browser speaks plain TCP or TLS to it. `command` is null for what it cannot do. */
export function makePeers({ built, wsproxy, baseline }) {
  const ours = (program) => ({
    program,
    command: (at, kind) => [program, ...webOptions(at, kind), ...(kind.options ?? []), ...fromTo(at)],
  });
  const floor = path.join(built, 'bench_floor');
  const go = path.join(built, 'bench_go_relay');
  const bare = (...more) => ({
    program: floor,
    raw: true,
    command: (at, { tls, web }) => (tls || web ? null : [floor, `${at.listen}`, `${at.target}`, ...more]),
  });
  return {
    wsproxy: ours(wsproxy),
    ...(baseline && { baseline: ours(baseline) }),
    floor: bare(),
    'floor-splice': bare('splice'),
    'nginx-stream': { program: 'nginx', needs: streamModule, raw: true, command: (at, kind) => (kind.web ? null : nginx(at, kind)) },
    'nginx-http': { program: 'nginx', command: (at, kind) => (kind.web ? nginx(at, kind) : null) },
    'haproxy-tcp': { program: 'haproxy', raw: true, command: (at, kind) => (kind.web ? null : haproxy(at, kind)) },
    websockify: { program: '/usr/bin/websockify', command: (at, kind) => ['/usr/bin/websockify', ...webOptions(at, kind), ...fromTo(at)] },
    'node-websockify': {
      program: 'node',
      needs: `${npm}/node_modules/@maximegris/node-websockify/package.json`,
      command: (at, { tls, web }) => (web ? null : ['node', `${npm}/node_websockify.cjs`, ...fromTo(at), ...(tls ? [at.cert, at.key] : [])]),
    },
    'go-relay': {
      program: go,
      command: (at, { tls, web }) => (web ? null : [go, ...(tls ? ['-cert', at.cert, '-key', at.key] : []), `${at.listen}`, `${at.target}`]),
    },
  };
}

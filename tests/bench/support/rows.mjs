// What is measured: a row is a scenario, plain or over TLS, with the peers it is compared to and the goals.
//
// Every figure is a cost, so less is better; a goal is how many times as much a peer has to need.

const inBulk = { figure: 'cpu_s_per_gb', unit: 'CPU s/GB' };
const perUpdate = { figure: 'cpu_us_per_update', unit: 'CPU µs/update' };
const perEcho = { figure: 'cpu_us_per_echo', unit: 'CPU µs/echo' };
const perSession = { figure: 'cpu_us_per_session', unit: 'CPU µs/session' };
const perRequest = { figure: 'cpu_us_per_request', unit: 'CPU µs/request' };
const latency = { figure: 'p99_us', unit: 'p99 µs' };
const memory = { figure: 'idle_bytes_per_session', unit: 'KiB/session', scale: 1 / 1024 };
const growth = { figure: 'growth_bytes', unit: 'KiB', scale: 1 / 1024 };

/** Rounds for what takes long or does not scatter. */
const once = { rounds: 1 };
const websockify = 1.3;

/** The scenario's name, what the load generator is told, the figure, then goals by variant and peer. */
const table = [
  ['down', ['down'], inBulk, { plain: { floor: 1.0, 'haproxy-tcp': null, websockify, 'node-websockify': null }, tls: { 'nginx-stream': 1.0, websockify } }],
  ['up16k', ['up', 'frame=16384'], inBulk, { plain: { floor: 0.85, websockify }, tls: { 'nginx-stream': 1.0, websockify } }],
  ['up1k', ['up', 'frame=1024'], inBulk, { plain: { floor: 0.65, websockify: 50, 'node-websockify': null } }],
  ['up64', ['up', 'frame=64'], inBulk, { plain: { 'go-relay': 6, websockify } }],
  ['vnc', ['vnc'], perUpdate, { plain: { 'haproxy-tcp': 1.1, floor: null, websockify, 'node-websockify': null }, tls: { 'nginx-stream': 1.0, websockify } }],
  ['small', ['small'], perEcho, { plain: { 'haproxy-tcp': 1.05, websockify }, tls: { 'haproxy-tcp': 1.05, websockify } }],
  ['small64', ['small', 'connections=64'], perEcho, { plain: { 'haproxy-tcp': 1.05, websockify }, tls: { 'haproxy-tcp': 1.05, websockify } }],
  ['rate500', ['rate', 'connections=500'], perEcho, { plain: { 'haproxy-tcp': 1.05, websockify }, tls: { 'haproxy-tcp': 1.05, websockify } }],
  ['mixed', ['mixed'], latency, { plain: { 'haproxy-tcp': 1.5, 'nginx-stream': 6, websockify: 6 } }],
  ['mixedup', ['mixed', 'upwards=1'], latency, { plain: { 'haproxy-tcp': null, websockify: null } }],
  ['connect', ['connect'], perSession, { plain: { 'haproxy-tcp': 0.85, websockify }, tls: { 'haproxy-tcp': 1.0, websockify } }],
  ['connect-resumed', ['connect', 'resume=1'], perSession, { tls: { 'haproxy-tcp': 1.0, websockify } }],
  ['idle2k', ['idle'], { ...memory, ...once }, { plain: { atMost: 1.0, 'haproxy-tcp': null, websockify }, tls: { atMost: 12, 'haproxy-tcp': null, websockify } }],
  ['slow', ['stalled'], { ...growth, rounds: 2 }, { plain: { atMost: 256, websockify }, tls: { atMost: 256, websockify } }],
  ['slowback', ['stalled', 'upwards=1'], { ...growth, rounds: 2 }, { plain: { atMost: 256, websockify } }],
  ['http', ['http'], perRequest, { plain: { 'nginx-http': 0.8, websockify } }],
];

/** What a peer cannot be asked for as it stands. */
const instead = {
  // a process of 4 to 5 MB for each session, which its neighbours do not make larger or smaller
  'idle2k websockify': ['sessions=100'],
};

export const rows = table.flatMap(([scenario, load, measure, variants]) =>
  Object.entries(variants).map(([variant, { atMost, ...peers }]) => ({
    scenario,
    name: variant === 'tls' && scenario !== 'connect-resumed' ? `${scenario}-tls` : scenario,
    tls: variant === 'tls',
    load,
    scale: 1,
    ...measure,
    atMost,
    peers: Object.entries(peers).map(([name, goal]) => ({ name, goal, load: instead[`${scenario} ${name}`] ?? [] })),
  })),
);

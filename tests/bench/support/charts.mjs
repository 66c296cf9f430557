// Two SVG pictures for the documents, readable on white and on black.

const style = `<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 11px; fill: #59636e }
  .title { font-size: 15px; font-weight: 600 } .grid { stroke: #d1d9e0 } .one { stroke: #1f2328; stroke-width: 1.5 }
  .ours { fill: #0969da; stroke: #0969da } .floor { fill: #59636e; stroke: #59636e } .haproxy { fill: #8250df; stroke: #8250df }
  .nginx { fill: #1a7f37; stroke: #1a7f37 } .websockify { fill: #d1242f; stroke: #d1242f } .go { fill: #9a6700; stroke: #9a6700 } .node { fill: #bf3989; stroke: #bf3989 }
  path { fill: none !important; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #e6edf3 }
    .ours { fill: #4493f8; stroke: #4493f8 } .floor { fill: #9198a1; stroke: #9198a1 } .haproxy { fill: #ab7df8; stroke: #ab7df8 }
    .nginx { fill: #3fb950; stroke: #3fb950 } .websockify { fill: #f85149; stroke: #f85149 } .go { fill: #d29922; stroke: #d29922 } .node { fill: #f778ba; stroke: #f778ba }
  }
</style>`;

const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const text = (x, y, words, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;
const line = (x1, y1, x2, y2, kind) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" class="${kind}"/>`;
const dot = (x, y, kind, hint) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="5" class="${kind}"><title>${escape(hint)}</title></circle>`;
const svg = (width, height, title, parts) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}">\n${style}\n${parts.join('\n')}\n</svg>\n`;

/** Peers by the colour they have; names of one program begin alike. */
const colour = (name) => name.split('-')[0];
const shownAs = { floor: 'bare read and write', haproxy: 'haproxy', nginx: 'nginx', websockify: 'websockify', go: 'Go, gorilla/websocket', node: 'node-websockify' };
const nameOf = (peer) => shownAs[colour(peer)] ?? peer;

/** A row of dots for each scenario: how many times as much as wsproxy each peer needs. */
export function ratioChart(results) {
  const shown = results.filter((result) => !result.failed && result.peers.some((peer) => peer.ratio > 0) && !['KiB'].includes(result.row.unit));
  const [left, right, top, step, width] = [210, 30, 84, 24, 860];
  const height = top + step * shown.length + 30;
  const ratios = shown.flatMap((result) => result.peers.map((peer) => peer.ratio).filter((ratio) => ratio > 0));
  const [low, high] = [Math.min(0.5, ...ratios), Math.max(100, ...ratios)].map(Math.log);
  const x = (ratio) => left + ((Math.log(ratio) - low) / (high - low)) * (width - left - right);
  const title = 'What others need for the same work, wsproxy = 1';
  const parts = [text(12, 24, title, 'class="title"'), text(12, 42, 'CPU time, latency or memory; logarithmic; further right is worse', 'class="small"')];
  let place = 12;
  for (const kind of [...new Set(shown.flatMap((result) => result.peers.filter((peer) => peer.ratio > 0).map((peer) => colour(peer.name))))]) {
    parts.push(dot(place + 5, 60, kind, kind), text(place + 15, 64, shownAs[kind] ?? kind));
    place += 40 + 7.2 * (shownAs[kind] ?? kind).length;
  }
  for (const mark of [0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 10000].filter((value) => Math.log(value) >= low && Math.log(value) <= high)) {
    parts.push(line(x(mark), top - 8, x(mark), height - 24, mark === 1 ? 'one' : 'grid'), text(x(mark), height - 8, `${mark}`, 'text-anchor="middle" class="small"'));
  }
  shown.forEach((result, i) => {
    const y = top + step * i + 8;
    parts.push(text(left - 14, y + 4, `${result.row.name}, ${result.row.unit}`, 'text-anchor="end" class="small"'));
    for (const peer of result.peers.filter((each) => each.ratio > 0)) {
      parts.push(dot(x(peer.ratio), y, colour(peer.name), `${peer.name}: ${peer.ratio.toFixed(2)}`));
    }
  });
  return svg(width, height, title, parts);
}

/** A scale's end, whose quarters are round. */
function roundUp(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * [1, 2, 4, 8, 10].find((step) => step * decade >= value);
}

/** Two panels over the number of sessions: CPU for an echo, memory for a session. */
export function growthChart(growth) {
  const [width, height, left, top, bottom] = [860, 300, 60, 60, 48];
  const title = 'Ten sessions or ten thousand';
  const parts = [text(12, 24, title, 'class="title"')];
  const counts = growth[0].points.map((point) => point.sessions);
  const panels = [
    { name: 'CPU µs for an echo, 4,000 echoes a second over all sessions', of: (point) => point.cpu },
    { name: 'PSS in KiB for a session', of: (point) => point.memory },
  ];
  panels.forEach((panel, i) => {
    const [from, to] = [left + (i * width) / 2, (width / 2) * (i + 1) - 24];
    const most = roundUp(Math.max(...growth.flatMap((peer) => peer.points.map(panel.of))));
    const x = (sessions) => from + (Math.log(sessions / counts[0]) / Math.log(counts.at(-1) / counts[0])) * (to - from);
    const y = (value) => height - bottom - (Math.max(value, 0) / most) * (height - bottom - top);
    parts.push(text(from - 40, 46, panel.name, 'class="small"'));
    for (const part of [0, 0.25, 0.5, 0.75, 1]) {
      const value = most * part;
      parts.push(line(from, y(value), to, y(value), 'grid'), text(from - 8, y(value) + 4, `${Number(value.toFixed(2))}`, 'text-anchor="end" class="small"'));
    }
    for (const count of counts) parts.push(text(x(count), height - bottom + 18, count.toLocaleString('en'), 'text-anchor="middle" class="small"'));
    for (const peer of growth) {
      const kind = peer.name === 'wsproxy' ? 'ours' : colour(peer.name);
      parts.push(`<path class="${kind}" d="${peer.points.map((point, k) => `${k ? 'L' : 'M'}${x(point.sessions).toFixed(1)} ${y(panel.of(point)).toFixed(1)}`).join(' ')}"/>`);
      for (const point of peer.points) parts.push(dot(x(point.sessions), y(panel.of(point)), kind, `${peer.name}, ${point.sessions}: ${panel.of(point).toFixed(2)}`));
    }
  });
  let place = 12;
  for (const peer of growth) {
    parts.push(dot(place + 5, height - 12, peer.name === 'wsproxy' ? 'ours' : colour(peer.name), peer.name), text(place + 15, height - 8, nameOf(peer.name)));
    place += 50 + 8 * (nameOf(peer.name)).length;
  }
  return svg(width, height, title, parts);
}

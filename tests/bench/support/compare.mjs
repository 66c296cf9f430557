// Rounds of a row: each measures wsproxy and every peer once, and compares what lies next to each other in time.
import { measure } from './measure.mjs';

export const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Noise ruins a measurement now and then; a second failure is the program's. */
async function measureTwice(bench, row, name, load) {
  let figures;
  for (let attempt = 0; attempt < 2; ++attempt) {
    figures = await measure(bench, row, bench.peers[name], { load });
    if (figures === null || figures.ok) break;
  }
  return figures;
}

/**
 * Gives { row, ours: [figure], failed, peers: [{ name, goal, figures, ratios, ratio, low, high, failed }] }; a ratio is
 * how many times as much as wsproxy the peer needs.
 */
export async function compare(bench, row, say) {
  const peers = row.peers.filter((peer) => bench.wanted(peer.name)).map((peer) => ({ ...peer, figures: [], ratios: [] }));
  const result = { row, ours: [], details: {}, peers };
  const without = (name) => peers.splice(peers.findIndex((peer) => peer.name === name), 1);
  const rounds = Math.min(bench.rounds, row.rounds ?? bench.rounds);
  for (let round = 0; round < rounds; ++round) {
    // There and back again: what changes slowly is as often to the good of one as of the other.
    const order = ['wsproxy', ...peers.filter((peer) => !peer.failed).map((peer) => peer.name)];
    if (round % 2) order.reverse();
    const now = {};
    for (const name of order) {
      const figures = await measureTwice(bench, row, name, peers.find((peer) => peer.name === name)?.load ?? []);
      say(row, name, figures);
      if (figures === null) {
        without(name); // it offers no such thing
      } else if (figures.ok) {
        now[name] = figures[row.figure];
        result.details[name] = figures;
      } else if (name === 'wsproxy') {
        return { ...result, failed: figures.error };
      } else {
        peers.find((peer) => peer.name === name).failed = figures.error;
      }
    }
    result.ours.push(now.wsproxy);
    for (const peer of peers) {
      if (!(peer.name in now)) continue;
      peer.figures.push(now[peer.name]);
      // Growth may be nothing at all, on either side.
      peer.ratios.push(Math.max(now[peer.name], 1e-9) / Math.max(now.wsproxy, 1e-9));
    }
  }
  for (const peer of peers.filter((each) => each.ratios.length > 0)) {
    peer.ratio = median(peer.ratios);
    peer.low = Math.min(...peer.ratios);
    peer.high = Math.max(...peer.ratios);
  }
  return result;
}

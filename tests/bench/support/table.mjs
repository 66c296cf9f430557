// What was measured, in Markdown.
import { median } from './compare.mjs';

export function number(value) {
  if (value === undefined || Number.isNaN(value)) return '-';
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** "reached", or by what it was missed. */
export const verdict = (is, goal) => (is ? 'reached' : `**missed** (${goal})`);

function lines(result) {
  const { row } = result;
  if (result.failed) return [`| ${row.name} | ${row.unit} | | | | | **failed**: ${result.failed} |`];
  const ours = number(median(result.ours) * row.scale);
  const all = [];
  if (row.atMost !== undefined) {
    const is = median(result.ours) * row.scale <= row.atMost;
    all.push(`| ${row.name} | ${row.unit} | ${ours} | at most | ${row.atMost} | | ${verdict(is, `at most ${row.atMost}`)} |`);
  }
  for (const peer of result.peers) {
    const cells = peer.failed || !peer.ratios.length
      ? `${peer.name} | | ${peer.failed ?? 'not measured'}`
      : `${peer.name} | ${number(median(peer.figures) * row.scale)} | ${number(peer.ratio)} (${number(peer.low)} to ${number(peer.high)})`;
    const judged = peer.goal === null || peer.ratio === undefined ? '' : verdict(peer.ratio >= peer.goal, `at least ${peer.goal}`);
    all.push(`| ${row.name} | ${row.unit} | ${ours} | ${cells} | ${judged} |`);
  }
  return all.length ? all : [`| ${row.name} | ${row.unit} | ${ours} | | | | |`];
}

export function comparisonTable(results) {
  return [
    '| scenario | figure | wsproxy | peer | its figure | how many times ours (spread) | goal |',
    '|---|---|---|---|---|---|---|',
    ...results.flatMap(lines),
  ].join('\n');
}

/** Rows that did not reach a goal. */
export const missed = (results) => results.flatMap(lines).filter((line) => line.includes('**'));

// A line a test for scripts/check: PASS, SKIP or FAIL, and behind a FAIL what went wrong.
import { inspect } from 'node:util';

/** Errors can quote whole logs; the beginning and the end tell. */
function shorten(text) {
  const lines = text.split('\n');
  return lines.length <= 50 ? text : [...lines.slice(0, 30), `... ${lines.length - 45} lines ...`, ...lines.slice(-15)].join('\n');
}

export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type === 'test:diagnostic' || data?.details?.type === 'suite') continue;
    if (type === 'test:pass') {
      if (data.skip !== undefined && data.skip !== false) yield `SKIP ${data.name}: ${data.skip === true ? 'no reason given' : data.skip}\n`;
      else yield `PASS ${data.name}\n`;
    } else if (type === 'test:fail') {
      const error = data.details.error;
      const cause = error?.cause ?? error;
      yield `FAIL ${data.name}\n${shorten(inspect(cause, { depth: 4 })).replace(/^/gm, '  ')}\n`;
    }
  }
}

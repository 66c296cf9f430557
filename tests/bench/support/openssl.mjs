// What OpenSSL keeps for an idle connection, by the files of its source: the floor under every proxy built upon it.
import { execFileSync } from 'node:child_process';

export const measureOpenSsl = (program, { cert, key }) => JSON.parse(execFileSync(program, [cert, key], { encoding: 'utf8' }));

export const openSslTable = ({ version, bytes, files }) => [
  `| allocated by OpenSSL ${version} in | bytes for each idle connection |`,
  '|---|---|',
  ...files.map((file) => `| ${file.file} | ${file.bytes.toLocaleString('en')} |`),
  `| all | ${bytes.toLocaleString('en')} |`,
].join('\n');

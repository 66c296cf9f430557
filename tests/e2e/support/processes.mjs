// What the kernel knows of the daemon and its helpers: descriptors, children, memory, the time they took.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

const read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has just ended
  }
};

const linkOf = (file) => {
  try {
    return readlinkSync(file);
  } catch {
    return 'pipe:'; // just closed
  }
};

/** How many descriptors a process has open, but for pipes: empty ones are kept for reuse. */
export const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).filter((fd) => !linkOf(`/proc/${pid}/fd/${fd}`).startsWith('pipe:')).length;

/** Its children, as { pid, name }; `wsproxy-lookup` looks names up, `wsproxy-log` writes a log. */
export function children(pid) {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter(Boolean)
    .map((child) => ({ pid: Number(child), name: read(`/proc/${child}/comm`).trim() }));
}

/** Whether it is there and no zombie. */
export function runs(pid) {
  const status = read(`/proc/${pid}/status`);
  return status !== '' && !/^State:\s+Z/m.test(status);
}

// A wall clock that cannot be trusted.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, tempDir } from './scope.mjs';

/** A library for LD_PRELOAD: the wall clock is a day early, right or a day late, another at each look; others are right. */
export async function jumpingClock(t) {
  const folder = tempDir(t);
  const [source, library] = ['clock.c', 'clock.so'].map((name) => path.join(folder, name));
  writeFileSync(source, `#define _GNU_SOURCE
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    static int jumps;
    int clock_gettime(clockid_t id, struct timespec *now) {
      int result = (int)syscall(SYS_clock_gettime, id, now);
      if (id == CLOCK_REALTIME) now->tv_sec += (++jumps % 3 - 1) * 86400;
      return result;
    }
    time_t time(time_t *out) {
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      if (out) *out = now.tv_sec;
      return now.tv_sec;
    }`);
  const compiled = await run(t, 'cc', ['-shared', '-fPIC', '-o', library, source], { timeout: 30_000 });
  assert.equal(compiled.code, 0, compiled.stderr);
  return library;
}

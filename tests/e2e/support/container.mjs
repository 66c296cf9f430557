// A container with a systemd of its own, thrown away after the test: this machine's files with an overlay in
// memory over them, a private network, and nothing of it left on the host when its processes are gone.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { missing, notRoot } from './installed.mjs';
import { run, scopeOf, start, tempDir, until } from './scope.mjs';

// In a mount namespace of its own, so that the mounts end with the process. The control group keeps containers
// apart that run at the same time. Never without --private-network: udevd would rename the host's interfaces.
const script = `
set -e
for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  if [ -w "$root/cgroup.procs" ]; then mkdir "$root/$NAME"; echo $$ >"$root/$NAME/cgroup.procs"; fi
done
mount -t tmpfs -o mode=755 tmpfs "$TOP/memory"
mkdir "$TOP/memory/changes" "$TOP/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$TOP/memory/changes,workdir=$TOP/memory/work" overlay "$TOP/root"
exec systemd-nspawn --quiet --directory="$TOP/root" --machine="$NAME" --private-network --register=no --keep-unit \\
  --bind="$TOP/shared:/shared" --boot -- --unit=basic.target
`;

/** Why there can be no container here, or false. */
export function noContainer() {
  const reason = notRoot() || missing('systemd-nspawn', 'unshare', 'nsenter');
  if (reason) return reason;
  if (!existsSync('/usr/lib/systemd/systemd') && !existsSync('/lib/systemd/systemd')) return 'systemd is not installed';
  const probe = 'd=$(mktemp -d) && mount -t tmpfs tmpfs $d && mkdir $d/u $d/w $d/m && mount -t overlay -o lowerdir=/,upperdir=$d/u,workdir=$d/w overlay $d/m; s=$?; umount -l $d; rmdir $d; exit $s';
  const { status, stderr } = spawnSync('unshare', ['--mount', '--propagation=private', 'sh', '-c', probe], { encoding: 'utf8' });
  return status === 0 ? false : `no overlay over / can be mounted: ${stderr.trim().split('\n')[0]}`;
}

function removeGroups(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(`${folder}/${entry.name}`);
  rmdirSync(folder);
}

export class Container {
  /** Boots it; takes about a second. `.shared` is a folder that both see, /shared inside. */
  static async boot(t) {
    const self = new Container();
    const top = tempDir(t);
    self.shared = `${top}/shared`;
    for (const folder of ['root', 'memory', 'shared']) mkdirSync(`${top}/${folder}`);
    const name = path.basename(top).toLowerCase();
    scopeOf(t).add(() => {
      for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']) removeGroups(`${root}/${name}`);
    });
    self.child = start(t, 'unshare', ['--mount', '--propagation=private', 'sh', '-c', script], {
      env: { PATH: process.env.PATH, TOP: top, NAME: name, SYSTEMD_COLORS: '0' }, stopSignal: 'SIGKILL',
    });
    let ended = false;
    self.child.once('exit', () => (ended = true));
    const last = () => self.child.output.split('\n').slice(-20).join('\n');
    self.leader = await until('the first process of the container', () => ended || self.#findLeader(), { last });
    assert.ok(!ended, `the container ended at once:\n${last()}`);
    // It outlives systemd-nspawn, which a test that is cut short kills.
    process.on('exit', () => {
      if (!ended && existsSync(`/proc/${self.leader}`)) process.kill(self.leader, 'SIGKILL');
    });
    scopeOf(t).add(async () => {
      // All of its processes end with its first.
      if (!ended) process.kill(self.leader, 'SIGKILL');
      await self.child.exited;
    });
    await until('systemd in the container', async () => ended || /^(running|degraded)/.test((await self.tell('systemctl', 'is-system-running')).stdout), {
      timeout: 30_000, every: 100, last,
    });
    assert.ok(!ended, `the container ended:\n${last()}`);
    return self;
  }

  #findLeader() {
    const { stdout } = spawnSync('pgrep', ['-P', String(this.child.pid)], { encoding: 'utf8' });
    for (const pid of stdout.trim().split('\n').filter(Boolean)) {
      try {
        if (/systemd$|init$/.test(execFileSync('readlink', [`/proc/${pid}/exe`], { encoding: 'utf8' }).trim())) return Number(pid);
      } catch {
        // gone meanwhile
      }
    }
    return undefined;
  }

  /** A path inside as one of the host's: files and Unix sockets can be reached by it. */
  path(inside) {
    return `/proc/${this.leader}/root${inside}`;
  }

  /** Runs a program inside; gives its code, stdout and stderr. */
  tell(command, ...args) {
    const scope = this.scope ?? this.child;
    return run(scope, 'nsenter', ['-t', String(this.leader), '-a', '--', command, ...args], {
      timeout: 60_000, env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', TERM: 'dumb', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
  }

  /** The same for what must succeed; gives what it printed. */
  async do(command, ...args) {
    const { code, stdout, stderr } = await this.tell(command, ...args);
    assert.equal(code, 0, `${[command, ...args].join(' ')} ended with ${code}:\n${stdout}${stderr}${await this.why(command, args)}`);
    return stdout;
  }

  /** When systemctl fails, what the unit said. */
  async why(command, args) {
    if (command !== 'systemctl') return '';
    return `\n${(await this.tell('journalctl', '--no-pager', '-n', '30', ...args.filter((each) => /wsproxy/.test(each)).flatMap((unit) => ['-u', unit]))).stdout}`;
  }

  /** A property of a unit, as `systemctl show` has it. */
  async show(unit, property) {
    return (await this.do('systemctl', 'show', '--value', '-p', property, unit)).trim();
  }
}

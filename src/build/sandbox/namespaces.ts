/**
 * The command line of bubblewrap: what a builder may see and do.
 *
 * The options go through a file, so that neither their number nor their bytes meet a limit of the system; and the
 * builder's environment goes with them: as the environment of bubblewrap itself it could change what that does.
 *
 * Source: Nix 2.35 libstore/linux/build/linux-derivation-builder.cc, enterChroot; bwrap(1).
 */
import { totalmem } from 'node:os';
import { basename, dirname } from 'node:path';
import { UsageError } from '../../errors.ts';
import type { Bubblewrap } from './probe.ts';

/** A place in the sandbox, and what is there. */
export interface Mount {
  readonly inside: string;
  readonly outside: string;
  readonly writable: boolean;
}

export interface SandboxPlan {
  /** Later ones lie over earlier ones. */
  readonly mounts: readonly Mount[];
  /** Device files of the host. */
  readonly devices: readonly string[];
  /** Whether it sees the network of the host; otherwise one of its own, with nobody in it. */
  readonly network: boolean;
  readonly buildDir: string;
  readonly storeDir: string;
  /** Setting `sandbox-dev-shm-size`. */
  readonly shmSize: string;
  /** Whether the host has /dev of its own to show. */
  readonly hostDev: boolean;
  /** Where a filter of system calls is, if any. */
  readonly seccompFd: number | undefined;
  readonly env: ReadonlyMap<string, string>;
}

/** Who the builder is inside. */
export const SANDBOX_USER = { uid: 1000, gid: 100 } as const;

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** The options, each ended by a zero byte. */
export function sandboxOptions(plan: SandboxPlan): string {
  const { uid, gid } = SANDBOX_USER;
  const options = [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(plan.network ? [] : ['--unshare-net']),
    ...['--uid', String(uid), '--gid', String(gid), '--hostname', 'localhost'],
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL'],
    ...(plan.seccompFd === undefined ? [] : ['--seccomp', String(plan.seccompFd)]),
    ...['--proc', '/proc'],
    ...(plan.hostDev
      ? []
      : ['--dev', '/dev', '--perms', '1777', '--size', String(parseShmSize(plan.shmSize)), '--tmpfs', '/dev/shm']),
    ...parents(plan.storeDir).flatMap((dir) => ['--perms', '0755', '--dir', dir]),
    ...plan.devices.flatMap((device) => ['--dev-bind', device, device]),
    ...plan.mounts.flatMap(({ inside, outside, writable }) => [writable ? '--bind' : '--ro-bind', outside, inside]),
    ...['--remount-ro', '/etc', '--remount-ro', '/', '--chdir', plan.buildDir],
    '--clearenv',
    ...Array.from(plan.env).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  return options.map((option) => `${option}\0`).join('');
}

/** The directories above, from the outermost; those that bubblewrap makes by itself are for nobody else. */
function parents(path: string): string[] {
  return dirname(path) === '/' ? [] : [...parents(dirname(path)), dirname(path)];
}

/** What follows the options: the builder and its arguments. */
export function builderCommand({ hasArgv0 }: Bubblewrap, builder: string, args: readonly string[]): string[] {
  return [...(hasArgv0 ? ['--argv0', basename(builder)] : []), '--', builder, ...args];
}

/** Bytes; as tmpfs(5) takes it: `64m`, or a part of the memory in percent. */
function parseShmSize(text: string): number {
  const [, number, unit] = /^(\d+)([%kmg]?)$/i.exec(text) ?? [];
  if (number === undefined) {
    throw new UsageError(`setting sandbox-dev-shm-size: '${text}' is no size`, { hint: 'such as 64m, or 50%' });
  }
  if (unit === '%') return Math.floor((totalmem() * Number(number)) / 100);
  return Number(number) * UNITS[unit!.toLowerCase()]!;
}

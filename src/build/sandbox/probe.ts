/**
 * Whether this system can isolate builds: bubblewrap is there, and the kernel lets this user have the namespaces.
 * Found out once a thread, by doing it.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readSpawned, spawnProcess } from '../spawn.ts';

export type SandboxSupport =
  | { readonly bubblewrap: Bubblewrap }
  /** Why not, and what can be done about it. */
  | { readonly problem: string; readonly hint: string };

export interface Bubblewrap {
  readonly program: string;
  /** Whether it can name a program otherwise than by its path: since 0.9. */
  readonly hasArgv0: boolean;
}

/** Where programs are on systems whose services have no PATH. */
const USUAL_DIRS = ['/usr/bin', '/bin', '/usr/local/bin', '/run/current-system/sw/bin'];
const NAMESPACES = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-net'];

let probed: Promise<SandboxSupport> | undefined;

/** What this system can do, as of the first time that it is asked. */
export function sandboxSupport(): Promise<SandboxSupport> {
  probed ??= probe(findProgram('bwrap'));
  return probed;
}

/** The file that a program's name stands for; undefined where there is none. */
export function findProgram(name: string): string | undefined {
  const dirs = [...(process.env.PATH ?? '').split(delimiter).filter((dir) => dir.startsWith('/')), ...USUAL_DIRS];
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function probe(program: string | undefined): Promise<SandboxSupport> {
  if (program === undefined) {
    return { problem: 'bubblewrap (bwrap) is not installed', hint: 'apt-get install bubblewrap' };
  }
  const run = (...args: string[]) =>
    readSpawned(spawnProcess({ program, args: ['bwrap', ...args], env: new Map(), cwd: '/' }));
  const tried = await run(
    ...NAMESPACES,
    '--uid',
    '1000',
    '--gid',
    '100',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    program,
    '--help',
  );
  if (tried.status.code !== 0) {
    return {
      problem: `bubblewrap cannot make a sandbox: ${tried.output.trim()}`,
      hint: 'the kernel must allow user namespaces: see /proc/sys/user/max_user_namespaces and kernel.unprivileged_userns_clone',
    };
  }
  return { bubblewrap: { program, hasArgv0: tried.output.includes('--argv0') } };
}

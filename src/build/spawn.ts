/**
 * Starting a program without a copy of this process: posix_spawn(3), which glibc does without fork(2). Node's own
 * `spawn` forks, and so copies the page tables of a process of hundreds of megabytes: 2.1 ms of the thread's time in
 * place of 0.2.
 *
 * What a process inherits and posix_spawn cannot say (user, personality, umask, core limit) is set on this thread for
 * as long as the call takes. On Linux user and personality belong to the thread, so the others do not see it; nothing
 * else runs in this one meanwhile.
 *
 * Source: Linux man-pages posix_spawn(3), credentials(7), personality(2), waitpid(2).
 */
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { BuildError } from '../errors.ts';
import { type ProcessLibc, processLibc } from './process-libc.ts';
import { actAs, withBuilderUmask, withPersonality } from './thread-state.ts';

/** Whose processes: numbers as the system knows them. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
}

export interface SpawnOptions {
  readonly program: string;
  /** With the name by which it is called, `args[0]`. */
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** File descriptors of this process that become 3, 4, … of the new one. */
  readonly fds?: readonly number[];
  /** Another than this process's own; takes root. */
  readonly user?: User | undefined;
  /** As personality(2) takes it. */
  readonly personality?: number | undefined;
}

/** How a process ended: its exit code, or the signal that killed it. */
export type ExitStatus =
  | { readonly code: number; readonly signal?: undefined }
  | { readonly signal: number; readonly code?: undefined };

/** A running process, the leader of a session and process group of its own. */
export interface SpawnedProcess {
  readonly pid: number;
  /** All that it and its children print, standard output and standard error alike. */
  readonly output: Socket;
  /** Sends SIGKILL to its process group. */
  kill(): void;
  /** Whether it has ended; others of its group may still run. */
  hasExited(): boolean;
  /** How it ended; undefined while it runs. Asking is what removes it from the system's table. */
  exitStatus(): ExitStatus | undefined;
}

const SIGKILL = 9;
/** In milliseconds: how often it is looked at most whether a process has ended. */
const LOOK_EVERY = 100;
/** Bytes of output that are read where little is expected. */
const SHORT = 256 * 1024;
/** What the program itself is to blame for. */
const NO_PROGRAM = ['EACCES', 'E2BIG', 'EISDIR', 'ELOOP', 'ENOENT', 'ENOEXEC', 'ENOTDIR'];

/**
 * Starts a program. Its standard input is empty, all signals are as they are by default, and of the open files of this
 * process it has only those that it is given.
 *
 * @throws {BuildError} of status `permanentFailure` where the program is not there or cannot be run; of `miscFailure`
 *   where the system has no room for another process.
 */
export function spawnProcess(options: SpawnOptions): SpawnedProcess {
  const libc = processLibc();
  using opened = new DisposableStack();
  const { read, write } = libc.openPipe();
  opened.adopt(read, libc.close);
  const pid = spawnWith(libc, options, write);
  opened.move(); // the socket closes it from here on
  const output = new Socket({ fd: read, readable: true, writable: false });
  let status: ExitStatus | undefined;
  return {
    pid,
    output,
    kill: () => {
      if (status === undefined) void libc.kill(-pid, SIGKILL);
    },
    hasExited: () => status !== undefined || libc.hasExited(pid),
    exitStatus: () => {
      status ??= libc.takeExitStatus(pid);
      return status;
    },
  };
}

/** Closes `output`, which the new process has from then on. */
function spawnWith(libc: ProcessLibc, options: SpawnOptions, output: number): number {
  const { user, personality } = options;
  using closed = new DisposableStack();
  closed.adopt(output, libc.close);
  closed.use(withBuilderUmask());
  if (personality !== undefined) closed.use(withPersonality(personality));
  if (user !== undefined) closed.use(actAs(user));
  const { pid, errno } = libc.spawn({ ...options, output });
  if (errno === 0) return pid;
  const name = getSystemErrorName(-errno);
  const status = NO_PROGRAM.includes(name) ? 'permanentFailure' : 'miscFailure';
  throw new BuildError(`cannot run '${options.program}': ${getSystemErrorMessage(-errno)} (${name})`, {
    failure: { status },
  });
}

/** Reads all that a process prints, as far as it is short, and waits for its end. */
export async function readSpawned(
  child: SpawnedProcess,
): Promise<{ readonly output: string; readonly status: ExitStatus }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of child.output as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= SHORT) chunks.push(chunk);
  }
  return { output: Buffer.concat(chunks).toString(), status: await exitOf(child) };
}

/** How a process ends that has closed its output. */
export async function exitOf(child: SpawnedProcess): Promise<ExitStatus> {
  for (let wait = 1; ; wait = Math.min(wait * 2, LOOK_EVERY)) {
    const status = child.exitStatus();
    if (status !== undefined) return status;
    await delay(wait);
  }
}

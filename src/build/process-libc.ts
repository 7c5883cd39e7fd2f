/**
 * The calls of the C library that starting and ending processes takes and Node lacks, through koffi.
 *
 * Source: Linux man-pages posix_spawn(3), pipe(2), waitpid(2), kill(2), signal(7); glibc's <spawn.h>, <bits/sigset.h>.
 */
import type { KoffiFunc } from 'koffi';
import { BuildError } from '../errors.ts';
import { loadKoffi } from '../stores/native.ts';
import type { ExitStatus } from './spawn.ts';

export interface SpawnRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly fds?: readonly number[];
  /** What standard input is; nothing by default. */
  readonly input?: number;
  /** What standard output and standard error are; nothing by default. */
  readonly output?: number;
}

export interface ProcessLibc {
  /** A pipe whose ends no other process inherits. */
  openPipe(): { readonly read: number; readonly write: number };
  close(fd: number): void;
  /** @returns `errno` 0 where the program runs. */
  spawn(request: SpawnRequest): { readonly pid: number; readonly errno: number };
  /**
   * @param pid - negative for a process group.
   * @returns whether there was anybody.
   */
  kill(pid: number, signal: number): boolean;
  /** Whether a child has ended. It stays in the system's table. */
  hasExited(pid: number): boolean;
  /** How a child ended, which removes it from the table; undefined while it runs. */
  takeExitStatus(pid: number): ExitStatus | undefined;
}

const O_CLOEXEC = 0o2000000;
/** More than glibc's structures take on any 64-bit machine: 80 and 336 bytes. */
const STRUCTURE_SIZE = 512;
const SIGSET_SIZE = 128;
/** POSIX_SPAWN_SETSIGDEF, SETSIGMASK and, of glibc, SETSID. */
const FLAGS = 0x04 | 0x08 | 0x80;
const FIRST_FD = 3;
const O_RDWR = 2;
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const SIGINFO_SIZE = 128;
/** Where si_pid is, where pointers have 64 bits: after three numbers and a gap. */
const SI_PID = 16;

type Call<A extends readonly unknown[]> = KoffiFunc<(...args: [...A]) => number>;

let loaded: ProcessLibc | undefined;

/** @throws {BuildError} of status `miscFailure` on another system than Linux. */
export function processLibc(): ProcessLibc {
  loaded ??= bind();
  return loaded;
}

function bind(): ProcessLibc {
  if (process.platform !== 'linux') {
    throw new BuildError(`builds run on Linux only, not on ${process.platform}`, {
      failure: { status: 'miscFailure' },
      hint: 'let a machine with Linux build it: see setting builders',
    });
  }
  const koffi = loadKoffi();
  const symbols = koffi.load(null);
  const pipe2 = symbols.func('int pipe2(_Out_ int *fds, int flags)') as Call<[number[], number]>;
  const close = symbols.func('int close(int fd)') as Call<[number]>;
  const kill = symbols.func('int kill(int pid, int signal)') as Call<[number, number]>;
  const waitpid = symbols.func('int waitpid(int pid, _Out_ int *status, int options)') as Call<
    [number, number[], number]
  >;
  const waitid = symbols.func('int waitid(int type, int id, void *info, int options)') as Call<
    [number, number, Buffer, number]
  >;
  const initActions = symbols.func('int posix_spawn_file_actions_init(void *actions)') as Call<[Buffer]>;
  const destroyActions = symbols.func('int posix_spawn_file_actions_destroy(void *actions)') as Call<[Buffer]>;
  const addOpen = symbols.func(
    'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, int mode)',
  ) as Call<[Buffer, number, string, number, number]>;
  const addDup2 = symbols.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)') as Call<
    [Buffer, number, number]
  >;
  const addChdir = symbols.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)') as Call<
    [Buffer, string]
  >;
  const closeFrom = optional(
    () =>
      symbols.func('int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)') as Call<[Buffer, number]>,
  );
  const initAttributes = symbols.func('int posix_spawnattr_init(void *attributes)') as Call<[Buffer]>;
  const setFlags = symbols.func('int posix_spawnattr_setflags(void *attributes, short flags)') as Call<
    [Buffer, number]
  >;
  const setDefaults = symbols.func('int posix_spawnattr_setsigdefault(void *attributes, void *set)') as Call<
    [Buffer, Buffer]
  >;
  const spawn = symbols.func(
    'int posix_spawn(_Out_ int *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
  ) as Call<[number[], string, Buffer, Buffer, (string | null)[], (string | null)[]]>;

  // All signals are as they are by default, and none is blocked: the mask of a new structure is empty.
  const attributes = Buffer.alloc(STRUCTURE_SIZE);
  initAttributes(attributes);
  setFlags(attributes, FLAGS);
  setDefaults(attributes, Buffer.alloc(SIGSET_SIZE, 0xff));

  return {
    openPipe: () => {
      const fds = [0, 0];
      if (pipe2(fds, O_CLOEXEC) !== 0) throw new Error(`pipe2: errno ${koffi.errno()}`);
      return { read: fds[0]!, write: fds[1]! };
    },
    close: (fd) => void close(fd),
    spawn: ({ program, args, env, cwd, fds = [], input, output }) => {
      using prepared = new DisposableStack();
      const actions = prepared.adopt(Buffer.alloc(STRUCTURE_SIZE), destroyActions);
      initActions(actions);
      for (const [fd, from] of [input, output, output].entries()) {
        if (from === undefined) addOpen(actions, fd, '/dev/null', O_RDWR, 0);
        else addDup2(actions, from, fd);
      }
      const last = FIRST_FD + fds.length;
      // One must not take the number of another that is still needed: those of this process are far beyond.
      if (fds.some((fd) => fd < last)) throw new Error(`unreachable: open files ${fds}`);
      for (const [index, fd] of fds.entries()) addDup2(actions, fd, FIRST_FD + index);
      closeFrom?.(actions, last);
      addChdir(actions, cwd);
      const variables = Array.from(env, ([name, value]) => `${name}=${value}`);
      const pid = [0];
      const errno = spawn(pid, program, actions, attributes, [...args, null], [...variables, null]);
      return { pid: pid[0]!, errno };
    },
    hasExited: (pid) => {
      const info = Buffer.alloc(SIGINFO_SIZE);
      return waitid(P_PID, pid, info, WNOHANG | WEXITED | WNOWAIT) !== 0 || info.readInt32LE(SI_PID) !== 0;
    },
    kill: (pid, signal) => kill(pid, signal) === 0,
    takeExitStatus: (pid) => {
      const status = [0];
      return waitpid(pid, status, WNOHANG) === pid ? decodeStatus(status[0]!) : undefined;
    },
  };
}

/** Since glibc 2.34; before, what other libraries left open on purpose stays open. */
function optional<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** As the macros of <sys/wait.h> do it. */
function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff } : { signal };
}

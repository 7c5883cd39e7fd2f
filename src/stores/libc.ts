/**
 * The calls of the C library that Node lacks: flock(2), syncfs(2) and posix_fallocate(3), through koffi, which is loaded on first use.
 *
 * Source: Linux man-pages flock(2), syncfs(2), posix_fallocate(3).
 */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import type { KoffiFunc } from 'koffi';
import { StoreError } from '../errors.ts';
import { fsHint } from './fs-errors.ts';
import { loadKoffi } from './native.ts';

/** Operations of flock(2): the same numbers on Linux, macOS and the BSDs. */
const OPERATIONS = { shared: 1, exclusive: 2, unlock: 8 } as const;
const WITHOUT_WAITING = 4;

/** What a lock lets others do meanwhile: take a shared lock too, or nothing. */
export type LockKind = 'shared' | 'exclusive';

export interface Libc {
  /**
   * Locks an open file without waiting. The lock belongs to the open file and not to the process: it conflicts with a
   * lock on the same file opened once more by the same process, and ends at the latest when the file is closed.
   *
   * @param path - for the message only.
   * @returns false where somebody holds a lock that excludes this one.
   * @throws {StoreError} where the file system has no locks.
   */
  tryLock(fd: number, kind: LockKind, path: string): boolean;

  /** Gives up what {@link Libc.tryLock} took. */
  unlock(fd: number, path: string): void;

  /** Takes room on the disk for an open file. @returns whether it has it; where not, some of it may be taken. */
  allocate(fd: number, length: number): boolean;

  /** The number of a group; undefined where there is none of that name. */
  groupId(name: string): number | undefined;

  /**
   * Makes everything durable that was written to the file system of `path` so far, in a thread of its own.
   *
   * @param fd - `path`, open.
   * @throws {StoreError} where writing back failed.
   */
  syncFileSystem(fd: number, path: string): Promise<void>;
}

let loaded: Libc | undefined;

/** The C library of this process. */
export function loadLibc(): Libc {
  loaded ??= bind();
  return loaded;
}

function bind(): Libc {
  const koffi = loadKoffi();
  const { EINTR, EWOULDBLOCK } = koffi.os.errno as Record<string, number>;
  const symbols = koffi.load(null);
  const flock = symbols.func('int flock(int fd, int operation)') as KoffiFunc<(fd: number, op: number) => number>;
  const linux = process.platform === 'linux';
  // Elsewhere there is only sync(2), which takes in every file system; its result means nothing.
  const sync = symbols.func(linux ? 'int syncfs(int fd)' : 'int sync(int unused)') as KoffiFunc<(fd: number) => number>;
  const allocate = linux && symbols.func('int posix_fallocate(int fd, int64_t offset, int64_t length)');

  const group = koffi.struct({ gr_name: 'char *', gr_passwd: 'char *', gr_gid: 'uint32_t', gr_mem: 'void *' });
  const getgrnam = symbols.func('getgrnam', koffi.pointer(group), ['str']);

  const lock = (fd: number, operation: number, path: string): boolean => {
    while (flock(fd, operation) !== 0) {
      const errno = koffi.errno();
      if (errno === EWOULDBLOCK) return false;
      if (errno !== EINTR) throw systemError('lock', path, errno);
    }
    return true;
  };

  return {
    tryLock: (fd, kind, path) => lock(fd, OPERATIONS[kind] | WITHOUT_WAITING, path),
    unlock: (fd, path) => void lock(fd, OPERATIONS.unlock, path),
    allocate: (fd, length) => allocate && allocate(fd, 0, length) === 0,
    groupId: (name) => {
      const found: unknown = getgrnam(name);
      return found === null ? undefined : (koffi.decode(found, group) as { readonly gr_gid: number }).gr_gid;
    },
    syncFileSystem: (fd, path) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      sync.async(fd, (error: unknown, result: number) => {
        if (error) reject(error);
        else if (result !== 0 && linux) reject(systemError('sync', path, koffi.errno()));
        else resolve();
      });
      return promise;
    },
  };
}

/** What the C library said no with, by `errno`. */
export function systemError(verb: string, path: string, errno: number): StoreError {
  const [message, name] = [getSystemErrorMessage(-errno), getSystemErrorName(-errno)];
  return new StoreError(`cannot ${verb} '${path}': ${message} (${name})`, { hint: fsHint(name) });
}

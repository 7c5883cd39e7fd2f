/**
 * Taking garbage out of the store directory in one step, so that its place is free at once, however long deleting it
 * takes. It goes to a staging directory: where the collector is killed, the next Sluice or the next collector of any
 * kind deletes what is in there.
 */
import { chmodSync, closeSync, constants, lstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import type { Libc } from '../libc.ts';

/** Links that an optimiser is about to use are left alone for so long, in milliseconds. */
const LINK_AGE = 10 * 60 * 1000;
const OWNER_MAY_ALL = 0o700;

/**
 * Moves garbage aside.
 *
 * @param target - a file name that does not exist yet, on the same file system.
 * @throws the error of the system where it must be deleted in its place: on a full disk, or where it is a mount point.
 */
export function moveAside(file: string, target: string): void {
  const steps = [
    () => renameSync(file, target),
    () => {
      // A new parent is a new `..`, for which an ordinary user must be allowed to write to the directory itself.
      chmodSync(file, lstatSync(file).mode | OWNER_MAY_ALL);
      renameSync(file, target);
    },
  ] as const;
  for (const [attempt, step] of steps.entries()) {
    try {
      step();
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return;
      const isDenied = code === 'EACCES' && lstatSync(file).isDirectory();
      if (!isDenied || attempt > 0) throw error;
    }
  }
}

/** Makes a directory for {@link moveAside}. */
export function makeTrash(directory: string): string {
  mkdirSync(directory, { mode: 0o700 });
  return directory;
}

/**
 * What must be held while `file` is taken away: its lock where it is a lock file, or a temporary directory of Nix ≥
 * 2.12.
 *
 * @returns undefined where somebody else uses it, and it must stay.
 */
export function holdIfFree(libc: Libc, file: string, name: string): Disposable | undefined {
  using held = new DisposableStack();
  if (name.endsWith('.lock') || name.startsWith('tmp-')) {
    const stats = lstatSync(file, { throwIfNoEntry: false });
    const flags = stats?.isFile() ? constants.O_RDWR : constants.O_RDONLY;
    if (!stats?.isFile() && !stats?.isDirectory()) return held.move();
    try {
      const fd = held.adopt(openSync(file, flags | constants.O_NOFOLLOW), closeSync);
      if (!libc.tryLock(fd, 'exclusive', file)) return undefined;
      if (stats.isFile()) writeSync(fd, 'd'); // for who has opened it and waits: see path-locks.ts
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  } else if (name.startsWith('.tmp-link')) {
    const stats = lstatSync(file, { throwIfNoEntry: false });
    if (stats !== undefined && Date.now() - stats.ctimeMs < LINK_AGE) return undefined;
  }
  return held.move();
}

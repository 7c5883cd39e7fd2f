/**
 * Path locks: flock(2) on PATH.lock, taken by whoever makes the contents of a store path. Nix ≥ 2.3 takes the same.
 *
 * A lock file is deleted by its holder. Whoever opened it before then gets the lock of a file that has no name any
 * more, while others may lock a new file of that name. So the holder makes it one byte long: a lock file that is not
 * empty is stale and counts for nothing. The byte is a hole, for which there is room on a full disk, too.
 *
 * Source: Nix 2.35 libstore/unix/pathlocks.cc.
 */
import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import type { Libc } from './libc.ts';

const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * Locks a store path without waiting.
 *
 * There is no call that waits. A lock may be held for as long as a build takes, and a process that holds some locks
 * and waits for more would stop others for as long, or for ever. Whoever needs many takes those that are free, does
 * that part of the work, lets go, and comes back for the rest.
 *
 * @param realPath - the physical path; the lock file lies beside it.
 * @returns undefined where somebody else, in this process or another, holds the lock.
 */
export function tryLockPath(libc: Libc, realPath: string): Disposable | undefined {
  const file = `${realPath}.lock`;
  for (;;) {
    using opened = new LockFile(file);
    if (!libc.tryLock(opened.fd, 'exclusive', file)) return undefined;
    const { size, ino } = fstatSync(opened.fd);
    if (size === 0) return opened.hold();
    // Stale. Where it still has its name, its holder died between the two steps of deleting it.
    if (lstatSync(file, { throwIfNoEntry: false })?.ino === ino) tryUnlink(file);
  }
}

/** An open lock file. Disposing closes it. */
class LockFile implements Disposable {
  readonly fd: number;
  readonly #file: string;
  #isOpen = true;

  constructor(file: string) {
    this.#file = file;
    this.fd = openSync(file, READ_WRITE_CREATE, 0o600);
  }

  /** Hands it over, locked. Disposing what it hands over deletes the file as well, once. */
  hold(): Disposable {
    this.#isOpen = false;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        deleteLockFile(this.#file, this.fd);
        closeSync(this.fd);
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.fd);
  }
}

/** Deletes a lock file while it is locked. Safe whether or not the work succeeded: the next one makes a new file. */
function deleteLockFile(file: string, fd: number): void {
  try {
    ftruncateSync(fd, 1);
  } catch {
    return; // still empty, it must keep its name
  }
  tryUnlink(file);
}

/** A lock file that stays does no harm. */
function tryUnlink(file: string): void {
  try {
    unlinkSync(file);
  } catch {}
}

/**
 * The slots of other machines, which all processes of this one share: flock(2) on `current-load/MACHINE-NUMBER` in the
 * state directory, as the build hook of Nix takes them. Each is tried under `main-lock`, so that trying one does not make
 * it look taken to somebody else.
 *
 * Source: Nix 2.35 nix/build-remote/build-remote.cc.
 */
import { closeSync, constants, futimesSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { asStoreError } from '../stores/fs-errors.ts';
import { type Libc, loadLibc } from '../stores/libc.ts';

const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT;

export class CurrentLoad implements Disposable {
  readonly #dir: string;
  readonly #files = new Map<string, number>();
  #libc: Libc | undefined;

  constructor(stateDir: string) {
    this.#dir = join(stateDir, 'current-load');
  }

  [Symbol.dispose](): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  /**
   * Does something under the main lock; it must not take long.
   *
   * @returns undefined where another process has the lock.
   * @throws {StoreError} where there can be no locks.
   */
  whileLocked<T>(action: () => T): T | undefined {
    const lock = this.#tryLock('main-lock');
    if (lock === undefined) return undefined;
    using _lock = lock;
    return action();
  }

  /** Takes a slot of a machine; undefined where another process has it. */
  trySlot(uri: string, slot: number): Disposable | undefined {
    const name = `${uri.replaceAll('/', '_')}-${slot}`;
    const lock = this.#tryLock(name);
    if (lock !== undefined) futimesSync(this.#files.get(name)!, new Date(), new Date()); // when it was used last
    return lock;
  }

  #tryLock(name: string): Disposable | undefined {
    const file = join(this.#dir, name);
    try {
      this.#libc ??= loadLibc();
      const libc = this.#libc;
      const fd = this.#open(name, file);
      if (!libc.tryLock(fd, 'exclusive', file)) return undefined;
      const lock = new DisposableStack();
      lock.defer(() => this.#files.has(name) && libc.unlock(fd, file));
      return lock;
    } catch (error) {
      throw asStoreError(`cannot lock '${file}'`, error);
    }
  }

  /** Each stays open: machines have few slots, and they are tried often. */
  #open(name: string, file: string): number {
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    mkdirSync(this.#dir, { recursive: true });
    const fd = openSync(file, READ_WRITE_CREATE, 0o600);
    this.#files.set(name, fd);
    return fd;
  }
}

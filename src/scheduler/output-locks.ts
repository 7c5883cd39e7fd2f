/**
 * The path locks of outputs that are being built. Nix takes the same, so that of several processes one builds.
 *
 * Nobody waits while holding some: all are taken or none. Who has to wait is woken when a lock of this process goes, and
 * looks from time to time after those of others.
 */
import { setTimeout } from 'node:timers/promises';
import type { StorePath } from '../formats/store-path.ts';
import type { LocalStore } from '../stores/local-store.ts';

/** The longest time between two looks, in milliseconds, while few wait; each of many adds so much. */
const LONGEST = { alone: 500, each: 5 } as const;

export class OutputLocks {
  readonly #store: Pick<LocalStore, 'tryLockPath'>;
  /** Who waits for a lock that this process holds. */
  readonly #held = new Map<StorePath, Set<() => void>>();
  #waiting = 0;

  constructor(store: Pick<LocalStore, 'tryLockPath'>) {
    this.#store = store;
  }

  /** How many are held. */
  get held(): number {
    return this.#held.size;
  }

  /**
   * Locks all of `paths`; undefined where somebody, in this process or another, has one of them.
   *
   * @param onForeign - hears which one another process has.
   */
  async tryLock(
    paths: readonly StorePath[],
    onForeign: (path: StorePath) => void = () => {},
  ): Promise<Disposable | undefined> {
    using locks = new DisposableStack();
    for (const path of paths.toSorted()) {
      if (this.#held.has(path)) return undefined;
      this.#held.set(path, new Set());
      locks.defer(() => this.#release(path));
      const lock = await this.#store.tryLockPath(path);
      if (lock === undefined) {
        onForeign(path);
        return undefined;
      }
      locks.use(lock);
    }
    return locks.move();
  }

  /**
   * Waits until one of `paths` was let go of, or, where another process has one, for a while.
   *
   * @throws the reason of `signal`.
   */
  async change(paths: readonly StorePath[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#waiting++;
    using cleanup = new DisposableStack();
    cleanup.defer(() => this.#waiting--);
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = paths.map((path) => this.#held.get(path)).filter((waiting) => waiting !== undefined);
    for (const waiting of held) {
      waiting.add(resolve);
      cleanup.defer(() => waiting.delete(resolve));
    }
    const abort = (): void => resolve();
    signal.addEventListener('abort', abort, { once: true });
    cleanup.defer(() => signal.removeEventListener('abort', abort));
    const timer = new AbortController();
    cleanup.defer(() => timer.abort());
    if (held.length === 0) {
      // At random, so that two who met once do not meet again.
      const longest = LONGEST.alone + LONGEST.each * this.#waiting;
      setTimeout(Math.random() * longest, undefined, timer).then(resolve, () => {});
    }
    await promise;
    signal.throwIfAborted();
  }

  #release(path: StorePath): void {
    const waiting = this.#held.get(path);
    this.#held.delete(path);
    for (const wake of waiting ?? []) wake();
  }
}

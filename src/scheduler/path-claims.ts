/**
 * The path locks of what this process is making, held from before a transfer until the path is valid. Stock Nix holds
 * its locks as long, so a path that several processes want at the same time is downloaded by one of them.
 *
 * Locks are held while references are waited for. That cannot end in a circle: whoever holds a lock waits only for what
 * its path refers to, and store paths refer to each other in no circles.
 */
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { StorePath } from '../formats/store-path.ts';
import type { ClaimState, PathClaim } from '../goals/goal.ts';
import type { LocalStore } from '../stores/local-store.ts';

/** Each is an open file, and registration opens some more. What is beyond is locked for its registration only. */
const MOST = 256;

/** The longest time between two looks at a lock, in milliseconds: for one who waits alone, and for each of many. */
const LONGEST = { alone: 100, each: 2 } as const;

export type ClaimingStore = Pick<LocalStore, 'isValidPath' | 'realPath' | 'tryLockPath'>;

export class PathClaims {
  readonly #store: ClaimingStore;
  readonly #most: number;
  /** Locks that are held. */
  #held = 0;
  /** Claims that wait. */
  #waiting = 0;

  /** @param most - how many locks are held at the same time, about. */
  constructor(store: ClaimingStore, most: number = MOST) {
    this.#store = store;
    this.#most = most;
  }

  /** A claim to a path that is a temporary root of this process; nothing is locked yet. */
  claim(path: StorePath): PathClaim {
    return new Claim(this, path);
  }

  /** Takes the lock of a path where it is free, unless too many are held or the path is valid. */
  async tryLock(path: StorePath): Promise<Disposable | ClaimState> {
    if (this.#held >= this.#most) return 'granted';
    const lock = await this.#store.tryLockPath(path);
    if (lock === undefined) return 'taken';
    // Whoever had the lock may have made it valid. What is not even there is not valid, which is quicker to see.
    if (existsSync(this.#store.realPath(path))) {
      using held = new DisposableStack();
      held.use(lock);
      if (await this.#store.isValidPath(path)) return 'valid';
      held.move();
    }
    this.#held++;
    return lock;
  }

  unlock(lock: Disposable): void {
    this.#held--;
    lock[Symbol.dispose]();
  }

  /** Waits until it is time to look at a lock again. */
  async pause(attempt: number, signal: AbortSignal): Promise<void> {
    this.#waiting++;
    using counted = new DisposableStack();
    counted.defer(() => this.#waiting--);
    const most = Math.min(2 ** Math.min(attempt, 20), Math.max(LONGEST.alone, this.#waiting * LONGEST.each));
    // At random, so that two who met once do not meet again.
    await setTimeout(Math.random() * most, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

class Claim implements PathClaim {
  readonly #claims: PathClaims;
  readonly #path: StorePath;
  #lock: Disposable | undefined;

  constructor(claims: PathClaims, path: StorePath) {
    this.#claims = claims;
    this.#path = path;
  }

  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  async tryTake(): Promise<ClaimState> {
    const lock = await this.#claims.tryLock(this.#path);
    if (typeof lock === 'string') return lock;
    this.#lock = lock;
    return 'granted';
  }

  async take(signal: AbortSignal): Promise<Exclude<ClaimState, 'taken'>> {
    for (let attempt = 0; ; attempt++) {
      await this.#claims.pause(attempt, signal);
      const state = await this.tryTake();
      if (state !== 'taken') return state;
    }
  }

  [Symbol.dispose](): void {
    if (this.#lock !== undefined) this.#claims.unlock(this.#lock);
    this.#lock = undefined;
  }
}

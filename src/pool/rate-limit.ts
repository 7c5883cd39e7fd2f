/**
 * How fast all threads together may download. One number in shared memory: when what has been taken so far would have
 * come, had it come at the rate that is allowed. Nobody keeps a list, and nothing has to be given back.
 */
import { setTimeout } from 'node:timers/promises';
import type { SharedLimit } from './messages.ts';

/** For so many microseconds more than the rate allows may come at once, so that a thread that wakes late loses nothing. */
const BURST = 100_000n;

/**
 * A limit for threads to share.
 *
 * @param kibibytesPerSecond - setting `download-speed`; 0 for none.
 */
export function makeSharedLimit(kibibytesPerSecond: number): SharedLimit | undefined {
  if (kibibytesPerSecond === 0) return undefined;
  return { bytesPerSecond: kibibytesPerSecond * 1024, memory: new SharedArrayBuffer(8) };
}

/** One thread's hold on a limit. */
export class RateLimit {
  readonly #next: BigInt64Array;
  readonly #bytesPerSecond: number;
  readonly #now: () => bigint;

  /** @param now - in microseconds, the same in all threads. */
  constructor({ bytesPerSecond, memory }: SharedLimit, now: () => bigint = monotonic) {
    this.#next = new BigInt64Array(memory);
    this.#bytesPerSecond = bytesPerSecond;
    this.#now = now;
  }

  /**
   * Counts bytes that came.
   *
   * @returns for how many milliseconds whoever took them shall take no more.
   */
  take(bytes: number): number {
    const duration = BigInt(Math.round((bytes * 1e6) / this.#bytesPerSecond));
    const now = this.#now();
    for (;;) {
      const next = Atomics.load(this.#next, 0);
      const after = (next > now - BURST ? next : now - BURST) + duration;
      if (Atomics.compareExchange(this.#next, 0, next, after) !== next) continue; // another thread was faster
      return after > now ? Math.ceil(Number(after - now) / 1000) : 0;
    }
  }
}

function monotonic(): bigint {
  return process.hrtime.bigint() / 1_000n;
}

/** What one transfer does about a limit. */
export class Throttle {
  readonly #limit: RateLimit | undefined;
  readonly #signal: AbortSignal;
  #due = 0;

  /** @param uri - of the store that the bytes come from: what comes from a disk of this machine is no download. */
  constructor(uri: string, limit: RateLimit | undefined, signal: AbortSignal) {
    this.#limit = /^(?:https?|s3):/.test(uri) ? limit : undefined;
    this.#signal = signal;
  }

  get neverRests(): boolean {
    return this.#limit === undefined;
  }

  /** More bytes came. */
  took(bytes: number): void {
    if (this.#limit !== undefined) this.#due = this.#limit.take(bytes);
  }

  /** To be waited for before more is taken, where that is too early. */
  rest(): Promise<void> | undefined {
    if (this.#due === 0) return undefined;
    const due = this.#due;
    this.#due = 0;
    return this.#sleep(due);
  }

  async #sleep(milliseconds: number): Promise<void> {
    await setTimeout(milliseconds, undefined, { signal: this.#signal }).catch(() => {});
    this.#signal.throwIfAborted();
  }
}

/** A counted resource, such as `max-jobs` build slots. Of those who wait, the one with the highest priority is served first. */
import TinyQueue from 'tinyqueue';

interface Waiter {
  readonly priority: number;
  /** Counts up: of equals, who came first is served first. */
  readonly turn: number;
  readonly wake: () => void;
  left: boolean;
}

const isBefore = (a: Waiter, b: Waiter): number => b.priority - a.priority || a.turn - b.turn;

export interface SlotsOptions {
  /** How many slots are open in the beginning, where not all are; {@link Slots.widen} opens more. */
  readonly open?: number | undefined;
}

export class Slots {
  readonly limit: number;
  #open: number;
  #taken = 0;
  #turns = 0;
  #waiting = 0;
  readonly #queue = new TinyQueue<Waiter>([], isBefore);

  constructor(limit: number, { open = limit }: SlotsOptions = {}) {
    this.limit = limit;
    this.#open = Math.min(open, limit);
  }

  /** How many slots are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for a slot; disposing the lease gives it back.
   *
   * @param priority - those with the same are served first come, first served.
   * @throws the signal's reason, if it aborts before a slot is free.
   */
  async acquire(signal?: AbortSignal, priority = 0): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#taken < this.#open) this.#taken++;
    else await this.#turn(signal, priority);
    const lease = new DisposableStack(); // disposing twice releases once
    lease.defer(() => this.#release());
    return lease;
  }

  /** Opens twice as many slots as were open, up to the limit. */
  widen(): void {
    this.#open = Math.min(this.limit, this.#open * 2);
    while (this.#taken < this.#open && this.#wakeNext()) this.#taken++;
  }

  #turn(signal: AbortSignal | undefined, priority: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      waiter.left = true;
      this.#waiting--;
    };
    const abort = (): void => {
      leave();
      reject(signal!.reason);
    };
    const wake = (): void => {
      leave();
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const waiter: Waiter = { priority, turn: this.#turns++, wake, left: false };
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiting++;
    this.#queue.push(waiter);
    return promise;
  }

  #release(): void {
    if (!this.#wakeNext()) this.#taken--;
  }

  #wakeNext(): boolean {
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      if (next.left) continue;
      next.wake();
      return true;
    }
    return false;
  }
}

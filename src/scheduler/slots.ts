/** A counted resource, such as `max-jobs` build slots. Of those who wait, the one with the highest priority is served first. */
import { type Priority, Turns, type TurnsOptions } from './turns.ts';

export interface SlotsOptions extends TurnsOptions {
  /** How many slots are open in the beginning, where not all are; {@link Slots.widen} opens more. */
  readonly open?: number | undefined;
}

export class Slots {
  readonly limit: number;
  readonly #turns: Turns;
  #open: number;
  #taken = 0;

  constructor(limit: number, { open = limit, ...turns }: SlotsOptions = {}) {
    this.limit = limit;
    this.#open = Math.min(open, limit);
    this.#turns = new Turns(turns);
  }

  /** How many slots are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether there is one to take at once. */
  get isFree(): boolean {
    return this.#taken < this.#open;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /**
   * Waits for a slot; disposing the lease gives it back.
   *
   * @param priority - those with the same are served first come, first served.
   * @throws the signal's reason, if it aborts before a slot is free.
   */
  async acquire(signal?: AbortSignal, priority: Priority = 0): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.isFree) this.#taken++;
    else await this.#turns.wait(signal, priority);
    return new Lease(() => this.#release());
  }

  /** Opens twice as many slots as were open, up to the limit. */
  widen(): void {
    this.#open = Math.min(this.limit, this.#open * 2);
    while (this.isFree && this.#turns.wakeNext(undefined)) this.#taken++;
  }

  #release(): void {
    if (!this.#turns.wakeNext(undefined)) this.#taken--;
  }
}

/** Disposing twice releases once. */
class Lease implements Disposable {
  #release: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  [Symbol.dispose](): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

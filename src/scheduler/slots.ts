/** A counted resource, such as `max-jobs` build slots. Waiters are served first come, first served. */
export class Slots {
  readonly limit: number;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.limit = limit;
    this.#free = limit;
  }

  /** How many slots are taken. */
  get taken(): number {
    return this.limit - this.#free;
  }

  /**
   * Waits for a slot; disposing the lease gives it back.
   *
   * @throws the signal's reason, if it aborts before a slot is free.
   */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    const lease = new DisposableStack(); // disposing twice releases once
    lease.defer(() => this.#release());
    return lease;
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => {
      this.#waiting.delete(wake);
      reject(signal!.reason);
    };
    const wake = (): void => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#waiting.add(wake);
    return promise;
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

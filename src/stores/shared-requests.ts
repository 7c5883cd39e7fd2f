/** Concurrent requests for the same thing become one. */

interface Shared<V> {
  readonly result: Promise<V>;
  readonly abort: AbortController;
  waiting: number;
}

/** Requests under way, by their key. */
export class SharedRequests<K, V> {
  readonly #running = new Map<K, Shared<V>>();

  /**
   * Joins the request for `key` that is under way, or starts one. A caller whose signal aborts leaves with its reason;
   * the request itself is aborted when all have left.
   */
  run(key: K, signal: AbortSignal | undefined, start: (signal: AbortSignal) => Promise<V>): Promise<V> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const shared = this.#running.get(key) ?? this.#start(key, start);
    shared.waiting++;
    if (signal === undefined) return shared.result;
    const { promise, resolve, reject } = Promise.withResolvers<V>();
    const leave = (): void => {
      reject(signal.reason);
      this.#leave(key, shared);
    };
    signal.addEventListener('abort', leave, { once: true });
    const stay = (): void => signal.removeEventListener('abort', leave);
    shared.result.then(
      (value) => {
        stay();
        resolve(value);
      },
      (error) => {
        stay();
        reject(error);
      },
    );
    return promise;
  }

  #start(key: K, start: (signal: AbortSignal) => Promise<V>): Shared<V> {
    const abort = new AbortController();
    const result = start(abort.signal);
    const shared = { result, abort, waiting: 0 };
    this.#running.set(key, shared);
    const forget = (): void => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    };
    result.then(forget, forget);
    return shared;
  }

  #leave(key: K, shared: Shared<V>): void {
    shared.waiting--;
    if (shared.waiting > 0 || this.#running.get(key) !== shared) return;
    this.#running.delete(key); // whoever comes now starts anew
    shared.abort.abort();
  }
}

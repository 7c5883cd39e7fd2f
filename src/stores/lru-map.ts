/** A map of bounded size: what has not been asked for the longest makes room. */

export class LruMap<K, V> {
  readonly #limit: number;
  /** The one that was used last comes last. */
  readonly #entries = new Map<K, V>();

  /** @param limit - how many entries there are at most; with 0 nothing is kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    if (this.#limit <= 0) return;
    if (!this.#entries.delete(key) && this.#entries.size >= this.#limit) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    this.#entries.set(key, value);
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }
}

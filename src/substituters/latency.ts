/** How long answers take, by the latest of them. */

/** How many answers count. */
const WINDOW = 64;
/** After how many more the figure is computed anew. */
const REFRESH = 8;
/** What is meant by "nearly all". */
const PERCENTILE = 0.95;

export class Latency {
  readonly #latest: number[] = [];
  #next = 0;
  #unseen = 0;
  #typical: number | undefined;

  /** In milliseconds: nearly all answers came within this time. Undefined before the first. */
  get typical(): number | undefined {
    return this.#typical;
  }

  add(milliseconds: number): void {
    this.#latest[this.#next] = milliseconds;
    this.#next = (this.#next + 1) % WINDOW;
    this.#unseen++;
    if (this.#typical !== undefined && this.#unseen < REFRESH) return;
    this.#unseen = 0;
    const sorted = this.#latest.toSorted((a, b) => a - b);
    this.#typical = sorted[Math.ceil(sorted.length * PERCENTILE) - 1]!;
  }
}

/** How much came over a time that moves along: a ring of buckets, the oldest of which is emptied for the newest. */

/** Of so many parts the time consists: it ends late by one of them at most. */
export const BUCKETS = 16;

export class SlidingSum {
  readonly #ticksPerBucket: number;
  readonly #ring: number[] = new Array<number>(BUCKETS).fill(0);
  #sum = 0;
  #buckets = 0;
  #bucket = 0;
  #ticks = 0;

  constructor(ticksPerBucket: number) {
    this.#ticksPerBucket = ticksPerBucket;
  }

  /** What came over the time, as far as its buckets are complete. */
  get sum(): number {
    return this.#sum;
  }

  /** Whether nothing has come at all. */
  get isEmpty(): boolean {
    return this.#sum === 0 && this.#bucket === 0;
  }

  /**
   * Counts what came in one tick.
   *
   * @returns whether a bucket is complete now, and so is the time.
   */
  add(amount: number): boolean {
    this.#bucket += amount;
    if (++this.#ticks < this.#ticksPerBucket) return false;
    const index = this.#buckets++ % BUCKETS;
    this.#sum += this.#bucket - this.#ring[index]!;
    this.#ring[index] = this.#bucket;
    this.#ticks = 0;
    this.#bucket = 0;
    return this.#buckets >= BUCKETS;
  }
}

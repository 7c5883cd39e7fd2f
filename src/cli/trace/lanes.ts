/** Places what overlaps side by side: each lane holds intervals one after the other. */
export class Lanes {
  /** Where the last interval of each lane ends. */
  readonly #ends: number[] = [];

  /**
   * The lane for an interval: of those that are free by then, the one that is free for the shortest time, or a new one.
   * Where intervals come in the order of their ends, that makes as few lanes as can be.
   *
   * @returns the number of the lane, from 0.
   */
  place(start: number, end: number): number {
    let best = -1;
    for (const [lane, free] of this.#ends.entries()) {
      if (free <= start && (best < 0 || free > this.#ends[best]!)) best = lane;
    }
    if (best < 0) best = this.#ends.length;
    this.#ends[best] = end;
    return best;
  }
}

/** A rate over the last few seconds: steady enough to read, quick enough to show a stall. */

const WINDOW = 3000;

export class RateMeter {
  readonly #samples: { readonly at: number; readonly value: number }[] = [];

  /**
   * @param at - milliseconds; never less than in the last call.
   * @param value - a count that grows.
   * @returns by how much it grew a second, over the window.
   */
  sample(at: number, value: number): number {
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= WINDOW) this.#samples.shift();
    const first = this.#samples[0]!;
    return at > first.at ? (Math.max(0, value - first.value) * 1000) / (at - first.at) : 0;
  }
}

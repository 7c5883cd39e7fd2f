/** Where the time of one transfer goes. */
import type { Timings } from './messages.ts';

export class Stopwatch {
  readonly #started = performance.now();
  #firstByte: number | undefined;

  /** To be called for every chunk. */
  chunk(): void {
    this.#firstByte ??= performance.now();
  }

  /** To be asked for when the transfer is done. */
  get timings(): Timings {
    const ended = performance.now();
    const firstByte = this.#firstByte ?? ended;
    return { wait: firstByte - this.#started, unpack: ended - firstByte };
  }
}

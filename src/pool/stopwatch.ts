/** Where the time of one transfer goes. */
import { threadId } from 'node:worker_threads';
import type { Timings } from './messages.ts';

/** What a transfer does with the bytes that have come. */
type Stage = 'decode' | 'hash' | 'write';

export class Stopwatch {
  readonly #started = performance.now();
  #firstByte: number | undefined;
  /** Until when the time is accounted for. */
  #mark = this.#started;
  readonly #spent: Record<Stage, number> = { decode: 0, hash: 0, write: 0 };

  /** To be called for every chunk that comes: until now the transfer waited, or its thread did other jobs. */
  chunk(): void {
    this.#mark = performance.now();
    this.#firstByte ??= this.#mark;
  }

  /** What has passed since the last call, of this or of {@link Stopwatch.chunk}, was spent in `stage`. */
  spent(stage: Stage): void {
    const now = performance.now();
    this.#firstByte ??= this.#mark; // what was there already did not come over the wire
    this.#spent[stage] += now - this.#mark;
    this.#mark = now;
  }

  /** To be asked for when the transfer is done. */
  get timings(): Timings {
    const ended = performance.now();
    const firstByte = this.#firstByte ?? ended;
    return {
      thread: threadId,
      started: performance.timeOrigin + this.#started,
      wait: firstByte - this.#started,
      unpack: ended - firstByte,
      ...this.#spent,
    };
  }
}

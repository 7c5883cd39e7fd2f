/** Turns of the event loop: work that takes long lets others have theirs, as several jobs run in one thread. */
import { setImmediate } from 'node:timers/promises';

/** Of a turn, in milliseconds: rarely enough to cost nothing, often enough for logs that others print. */
const LONGEST = 8;

export class Turn {
  readonly #signal: AbortSignal;
  #started = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether others should have theirs. */
  get isOver(): boolean {
    return performance.now() - this.#started >= LONGEST;
  }

  /** @throws the reason of the signal. */
  throwIfAborted(): void {
    this.#signal.throwIfAborted();
  }

  /** @throws the reason of the signal. */
  async next(): Promise<void> {
    await setImmediate();
    this.throwIfAborted();
    this.#started = performance.now();
  }
}

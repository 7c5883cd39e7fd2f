/** Time that passes as fast as it can: whenever nothing is left to do before the next timer. */
import { setImmediate } from 'node:timers/promises';

interface Timer {
  readonly at: number;
  readonly ring: () => void;
}

/** Turns of the event loop after which whoever was woken up has done what there was to do. */
const TURNS = 6;

export class SimulatedTime {
  /** In milliseconds. */
  now = 0;
  #timers: Timer[] = [];

  /** @throws the reason of the signal. */
  async wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve) => {
      const timer = { at: this.now + milliseconds, ring: resolve };
      this.#timers.push(timer);
      signal?.addEventListener('abort', () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        resolve();
      });
    });
    signal?.throwIfAborted();
  }

  /** Lets time pass until a promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (;;) {
      for (let turn = 0; turn < TURNS; turn++) await setImmediate();
      if (isSettled) return await promise;
      const next = Math.min(...this.#timers.map(({ at }) => at));
      if (next === Number.POSITIVE_INFINITY) throw new Error('nothing will happen any more');
      const due = this.#timers.filter(({ at }) => at === next);
      this.#timers = this.#timers.filter(({ at }) => at !== next);
      this.now = next;
      for (const { ring } of due) ring();
    }
  }
}

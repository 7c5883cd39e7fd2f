/** A clock that stands still until it is told to go on. */
import type { Clock } from '../../src/cli/progress/reporter.ts';

interface Timer {
  readonly interval: number;
  readonly tick: () => void;
  next: number;
}

export class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  /** How many timers run. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  every(interval: number, tick: () => void): Disposable {
    const timer = { interval, tick, next: this.#now + interval };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Lets time pass, and timers tick when they are due. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(({ next }) => next <= end).sort((a, b) => a.next - b.next)[0];
      if (due === undefined) break;
      this.#now = due.next;
      due.next += due.interval;
      due.tick();
    }
    this.#now = end;
  }
}

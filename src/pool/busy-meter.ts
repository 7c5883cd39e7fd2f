/** How busy event loops are: the part of the time in which they did not wait for anything. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

type Loop = Pick<typeof performance, 'eventLoopUtilization'>;

const NOTHING: EventLoopUtilization = { idle: 0, active: 0, utilization: 0 };

/** What is shorter than this says little, in milliseconds. */
const SHORTEST = 10;

export class BusyMeter {
  /** What each loop had done when it was looked at last. */
  #seen = new Map<Loop, EventLoopUtilization>();
  #looked = performance.now();
  #own = 0;
  #others: readonly number[] = [];

  /** Of this thread's loop, from 0 to 1. */
  get own(): number {
    return this.#own;
  }

  /** Of the other loops, from 0 to 1 each; those that have not begun are left out. */
  get others(): readonly number[] {
    return this.#others;
  }

  /**
   * Looks again, at what happened since the last time.
   *
   * @param others - asked only where there is something to see.
   * @returns false where that was too short ago: everything stays as it was.
   */
  look(others: () => readonly Loop[]): boolean {
    const now = performance.now();
    if (now - this.#looked < SHORTEST) return false;
    this.#looked = now;
    const seen = new Map<Loop, EventLoopUtilization>();
    const busy = (loop: Loop): number[] => {
      const total = loop.eventLoopUtilization();
      seen.set(loop, total);
      const { idle, active } = loop.eventLoopUtilization(total, this.#seen.get(loop) ?? NOTHING);
      return idle + active > 0 ? [active / (idle + active)] : [];
    };
    this.#own = busy(performance)[0] ?? 0;
    this.#others = others().flatMap(busy);
    this.#seen = seen;
    return true;
  }
}

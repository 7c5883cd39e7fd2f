/** When it is tried to download a file over several connections, and by which clock: see ranged-download.ts. */
import { setTimeout } from 'node:timers/promises';

/** Times are in milliseconds. */
export interface RangePolicy {
  /** For how long a rate is measured, after it had as long to settle. */
  readonly window: number;
  /** What takes no longer than this is left as it is. */
  readonly worthwhile: number;
  /** For how long a cache is left alone with which it did not pay. */
  readonly rest: number;
  readonly now: () => number;
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  /** Starts to measure which part of its time the thread is busy, from 0 to 1. */
  readonly busy: () => () => number;
}

/** A file that comes in a few seconds is left alone, and a rate is good after 0.75 s: by then TCP is up to speed. */
export const RANGE_POLICY: RangePolicy = {
  window: 750,
  worthwhile: 4_000,
  rest: 10 * 60_000,
  now: () => performance.now(),
  wait: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  busy: () => {
    const start = performance.eventLoopUtilization();
    return () => performance.eventLoopUtilization(start).utilization;
  },
};

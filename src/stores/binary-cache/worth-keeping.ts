/**
 * Whether what comes of a large file is worth keeping for a process that goes on with it: writing it down costs a tenth
 * of the work, and a download that is over soon is hardly ever killed.
 */

/** In bytes: of so much a rate can be told, and so much is soon there again. */
const TRIAL = 64 * 1024 * 1024;
/** In milliseconds: what takes no longer is made again. */
const SOON = 10_000;

export interface Download {
  /** Bytes that have come, in so many milliseconds. */
  readonly received: number;
  readonly milliseconds: number;
  /** Bytes that are still to come. */
  readonly left: number;
}

/** At the rate so far; in doubt, it is. */
export function isWorthKeeping({ received, milliseconds, left }: Download): boolean {
  return received < TRIAL || (left * milliseconds) / received > SOON;
}

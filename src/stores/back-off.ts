/** Waiting for something that another process holds and that cannot be waited for by event: locks, SQLite. */
import { setTimeout } from 'node:timers/promises';

/** The longest single wait, in milliseconds: as long as Nix waits for a busy database. */
const LONGEST = 100;

/**
 * Waits a random while that grows with `attempt` (0, 1, 2, …), at most 100 ms. Random, so that two processes that met
 * once do not meet again.
 *
 * @throws {AbortError} where `signal` says so.
 */
export async function backOff(attempt: number, signal?: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST, 2 ** Math.min(attempt, 10));
  await setTimeout(Math.random() * most, undefined, signal === undefined ? {} : { signal });
}

/** Going through the substituters that have a path, until one of them is of use. */
import { asSluiceError, type SluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import { type Candidate, PathSearch } from '../substituters/path-search.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { GoalResult, LocalGoalContext } from './goal.ts';
import { SetAside } from './transfer.ts';

/**
 * Calls `attempt` with one substituter after the other that has the path, and tells what is wrong with those that are
 * of no use.
 *
 * @param attempt - throws where the next may do better.
 * @returns what an attempt came to; a failure where all of them threw; undefined where nobody has the path.
 * @throws where the context's signal has aborted.
 */
export async function trySubstituters(
  path: StorePath,
  substituters: readonly Substituter[],
  context: LocalGoalContext,
  attempt: (candidate: Candidate) => Promise<GoalResult>,
): Promise<GoalResult | undefined> {
  const { events, signal } = context;
  const tellFailure = ({ uri }: Substituter, error: SluiceError): void => {
    events.emit('substituterFailed', { path, substituter: uri, error, next: search.upcoming });
  };
  const search = new PathSearch(path, substituters, {
    signal,
    onAnswer: ({ uri }, milliseconds, found) => {
      events.emit('infoQueried', { path, substituter: uri, milliseconds, found });
    },
    onRetry: ({ uri }, error) => {
      events.emit('queryRetried', { path, substituter: uri, error });
    },
    onFailure: tellFailure,
  });
  for (let candidate = await search.next(); candidate !== undefined; candidate = await search.next()) {
    try {
      const result = await attempt(candidate);
      search.end();
      return result;
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asSluiceError(thrown);
      search.failed(candidate, error);
      if (thrown instanceof SetAside) continue;
      tellFailure(candidate.substituter, error);
      candidate.substituter.transferred(error); // in this order: it may be set aside for this
    }
  }
  const { lastError } = search;
  return lastError === undefined ? undefined : { state: 'failed', failure: lastError };
}

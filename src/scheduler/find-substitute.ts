/** Finding who has a path, without copying it. */
import type { EventEmitter } from 'eventemitter3';
import type { StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import type { Trust } from '../stores/trust.ts';
import { PathSearch } from '../substituters/path-search.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { FoundPath } from './query-missing.ts';

export interface FindOptions {
  readonly trust: Trust;
  readonly events: EventEmitter<SchedulerEvents>;
  readonly signal: AbortSignal;
}

/** The first in order that has a path which is likely to be trusted. */
export async function findSubstitute(
  path: StorePath,
  substituters: readonly Substituter[],
  { trust, events, signal }: FindOptions,
): Promise<FoundPath | undefined> {
  const search = new PathSearch(path, substituters, {
    signal,
    onRetry: ({ uri }, error) => events.emit('queryRetried', { path, substituter: uri, error }),
    onFailure: ({ uri }, error) =>
      events.emit('substituterFailed', { path, substituter: uri, error, next: search.upcoming }),
  });
  for (let candidate = await search.next(); candidate !== undefined; candidate = await search.next()) {
    const { info, substituter } = candidate;
    if (!substituter.trusted && !trust.mayAccept(substituter.store.storeDir, info)) continue;
    search.end();
    return { info, substituter: substituter.uri };
  }
  return undefined;
}

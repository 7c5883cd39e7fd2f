/** Asking a store what it knows of a path, and telling that it was asked. */
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { Store } from '../stores/store.ts';
import type { GoalContext } from './goal.ts';

/** @returns undefined where the path is not valid in `store`. */
export async function queryInfo(
  store: Store,
  path: StorePath,
  { events, signal }: Pick<GoalContext, 'events' | 'signal'>,
): Promise<PathInfo | undefined> {
  const asked = performance.now();
  const info = await store.queryPathInfo(path, { signal });
  const milliseconds = performance.now() - asked;
  events.emit('infoQueried', { path, substituter: store.uri, milliseconds, found: info !== undefined });
  return info;
}

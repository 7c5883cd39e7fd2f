/** Which paths are valid, of many or of all: some at a time, so that the event loop has its turns. */
import { setImmediate } from 'node:timers/promises';
import type { StorePath } from '../formats/store-path.ts';
import type { StoreDatabase } from './database.ts';

/** Paths that are looked up before the event loop gets a turn. */
const CHUNK = 2_000;

/** Asks the database, once it is open and not busy. */
type Query = <T>(question: (database: StoreDatabase) => T) => Promise<T>;

/** Those of `paths` that are valid. */
export async function queryValidPaths(
  query: Query,
  paths: Iterable<StorePath>,
  signal: AbortSignal | undefined,
): Promise<Set<StorePath>> {
  const valid = new Set<StorePath>();
  const all = [...paths];
  for (let start = 0; start < all.length; start += CHUNK) {
    if (start > 0) await setImmediate();
    signal?.throwIfAborted();
    const chunk = all.slice(start, start + CHUNK);
    for (const path of await query((database) => database.filterValid(chunk))) valid.add(path);
  }
  return valid;
}

/** All of them, in the order in which they were registered. */
export async function queryAllValidPaths(query: Query, signal: AbortSignal | undefined): Promise<StorePath[]> {
  const all: StorePath[] = [];
  for (let id = 0; ; ) {
    const { paths, lastId } = await query((database) => database.validPathsAfter(id));
    if (paths.length === 0) return all;
    all.push(...paths);
    id = lastId;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

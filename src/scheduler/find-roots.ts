/** Everything that keeps paths of a store from being collected: for people who want to know why. */
import type { StorePath } from '../formats/store-path.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import type { Root } from '../stores/gc/find-roots.ts';
import { readTempRoots } from '../stores/gc/temp-root-files.ts';
import { loadLibc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';

export type RootKind = 'permanent' | 'runtime' | 'temporary';

export interface FoundRoot extends Root {
  readonly kind: RootKind;
}

export interface FindRootsOptions {
  readonly store: LocalStore;
  readonly settings: Settings;
  readonly onMessage?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the roots of a store. Temporary ones may name what is not valid; of the others only those that name a valid path
 * are given. Stale links and stale files of temporary roots are removed, as Nix does, where the store is not read-only.
 */
export async function findRoots({ store, settings, onMessage, signal }: FindRootsOptions): Promise<FoundRoot[]> {
  const { stateDir, storeDir } = store;
  const { writable } = await store.open();
  await using pool = new WorkerPool({ settings });
  const { permanent, runtime, messages } = await pool.run('findRoots', { stateDir, storeDir }, { signal });
  const temporary = writable ? readTempRoots(loadLibc(), stateDir, storeDir) : { roots: [], messages: [] };
  for (const message of [...messages, ...temporary.messages]) onMessage?.(message);
  const isValid = await validOf(store, [...permanent, ...runtime], signal);
  for (const { from, path } of permanent) {
    if (!isValid(path)) onMessage?.(`skipping invalid root from '${from}' to '${storeDir}/${path}'`);
  }
  const ofKind = (kind: RootKind, roots: readonly Root[]): FoundRoot[] => roots.map((root) => ({ ...root, kind }));
  const isOfValid = ({ path }: Root): boolean => isValid(path);
  return [
    ...ofKind('permanent', permanent.filter(isOfValid)),
    ...ofKind('runtime', runtime.filter(isOfValid)),
    ...ofKind('temporary', temporary.roots),
  ];
}

async function validOf(
  store: LocalStore,
  roots: readonly Root[],
  signal: AbortSignal | undefined,
): Promise<(path: StorePath) => boolean> {
  const valid = await store.queryValidPaths(new Set(roots.map(({ path }) => path)), { signal });
  return (path) => valid.has(path);
}

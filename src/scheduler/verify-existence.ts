/**
 * Valid paths that are missing from the store directory. Those that nothing refers to which is there can be made
 * invalid; nobody is any worse off then.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyPath.
 */
import { lstat, readdir } from 'node:fs/promises';
import type { Settings } from '../settings.ts';
import { openGcDatabase } from '../stores/gc/gc-database.ts';
import { loadLibc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { tryLockPath } from '../stores/path-locks.ts';
import type { RegisteredPaths } from '../stores/verify/registered-paths.ts';
import type { Row } from './verify-rows.ts';

/** Paths that are made invalid in one transaction; the lock of each is an open file. */
const BATCH = 256;

/**
 * Those of `rows` that are valid and not there. One that was collected meanwhile is neither.
 *
 * @param rows - all of them, or those that are asked for; of many, the store directory is read once.
 */
export async function findMissing(
  store: LocalStore,
  database: RegisteredPaths,
  rows: readonly Row[],
  all: boolean,
): Promise<{ readonly missing: readonly Row[]; readonly gone: ReadonlySet<Row> }> {
  const names = all ? new Set<string>(await readdir(store.realStoreDir)) : undefined;
  const missing: Row[] = [];
  const gone = new Set<Row>();
  for (const row of rows) {
    if (names?.has(row.path) || (await isThere(store, row))) continue;
    // Whoever collects or replaces it takes it out of the database first, and puts it in last.
    const isValid = (await database.find(row.shown))?.id === row.id;
    if (isValid && !(await isThere(store, row))) missing.push(row);
    else if (!isValid) gone.add(row);
  }
  return { missing, gone };
}

/** Whether anything lies where the path belongs. */
export async function isThere(store: LocalStore, { path }: Row): Promise<boolean> {
  try {
    await lstat(store.realPath(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes missing paths invalid, as far as nothing refers to them that is there.
 *
 * @returns those that are invalid now.
 */
export async function unregisterMissing(
  store: LocalStore,
  settings: Settings,
  database: RegisteredPaths,
  missing: readonly Row[],
): Promise<ReadonlySet<Row>> {
  const unregistered = new Set<Row>();
  if (missing.length === 0) return unregistered;
  const { stateDir, storeDir } = store;
  const { fsyncMetadata } = settings;
  await using writer = await openGcDatabase({ stateDir, storeDir, readOnly: false, fsyncMetadata });
  const libc = loadLibc();
  const ordered = await removable(database, missing);
  for (let start = 0; start < ordered.length; start += BATCH) {
    using locks = new DisposableStack();
    const batch: Row[] = [];
    for (const row of ordered.slice(start, start + BATCH)) {
      // Where somebody has the lock, the path is being made or repaired just now.
      const lock = tryLockPath(libc, store.realPath(row.path));
      if (lock === undefined) continue;
      locks.use(lock);
      if (!(await isThere(store, row))) batch.push(row);
    }
    const outcomes = await writer.invalidate(batch);
    for (const [index, isInvalid] of outcomes.entries()) if (isInvalid) unregistered.add(batch[index]!);
  }
  return unregistered;
}

/** Those to which only such refer that are removable themselves, and come before them. */
async function removable(database: RegisteredPaths, missing: readonly Row[]): Promise<readonly Row[]> {
  const byId = new Map(missing.map((row) => [row.id, row]));
  const references = new Map<number, number[]>();
  const pending = new Map<number, number>();
  const ready: number[] = [];
  for (const { id } of missing) {
    const referrers = await database.referrers(id);
    pending.set(id, referrers.length);
    if (referrers.length === 0) ready.push(id);
    for (const referrer of referrers) appendTo(references, referrer, id);
  }
  const ordered: Row[] = [];
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    ordered.push(byId.get(id)!);
    for (const reference of references.get(id) ?? []) {
      const left = pending.get(reference)! - 1;
      pending.set(reference, left);
      if (left === 0) ready.push(reference);
    }
  }
  return ordered;
}

function appendTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

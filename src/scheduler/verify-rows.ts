/** What is to be verified, from the database of a local store. */
import { asSluiceError, InvalidPathError, type SluiceError, StoreError } from '../errors.ts';
import { parseHash } from '../formats/hash.ts';
import { parseStorePath, printStorePath, type StorePath } from '../formats/store-path.ts';
import type { LocalStore } from '../stores/local-store.ts';
import type { RegisteredPaths, RegisteredRow } from '../stores/verify/registered-paths.ts';
import type { Registered } from './contents.ts';

/** A valid path. */
export interface Row extends Registered {
  readonly id: number;
  readonly path: StorePath;
}

export interface BadRow {
  /** The full path, or what stands in its place. */
  readonly shown: string;
  readonly path: StorePath | undefined;
  readonly problem: SluiceError;
}

export interface Rows {
  readonly rows: readonly Row[];
  readonly bad: readonly BadRow[];
}

/** Reads the rows of all valid paths. */
export async function readAllRows(
  store: LocalStore,
  database: RegisteredPaths,
  signal: AbortSignal | undefined,
): Promise<Rows> {
  const found: (Row | BadRow)[] = [];
  for (let page = await database.after(0); page.length > 0; page = await database.after(page.at(-1)!.id)) {
    signal?.throwIfAborted();
    for (const row of page) found.push(parse(store, row));
  }
  return sort(found);
}

/** Reads the rows of these paths. */
export async function readRows(
  store: LocalStore,
  database: RegisteredPaths,
  paths: readonly StorePath[],
): Promise<Rows> {
  const found = paths.map(async (path): Promise<Row | BadRow> => {
    const shown = printStorePath(store.storeDir, path);
    const row = await database.find(shown);
    if (row !== undefined) return parse(store, row);
    return { shown, path, problem: new InvalidPathError(shown, store.uri) };
  });
  return sort(await Promise.all(found));
}

/** A row with what it says parsed. */
export function parse({ storeDir }: LocalStore, { id, path: shown, hash, narSize }: RegisteredRow): Row | BadRow {
  let path: StorePath | undefined;
  try {
    path = parseStorePath(storeDir, shown);
    return { id, shown, path, narHash: parseHash(hash), narSize: narSize ?? 0 };
  } catch (error) {
    const message = `the store's database has a broken entry for '${shown}': ${asSluiceError(error).message}`;
    return { shown, path, problem: new StoreError(message, { cause: error }) };
  }
}

function sort(found: readonly (Row | BadRow)[]): Rows {
  const rows: Row[] = [];
  const bad: BadRow[] = [];
  for (const each of found) {
    if ('problem' in each) bad.push(each);
    else rows.push(each);
  }
  return { rows, bad };
}

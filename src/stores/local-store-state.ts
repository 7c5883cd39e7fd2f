/**
 * Opening what a local store keeps beside its contents: directories, the big lock, the database, temporary roots.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::LocalStore.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import { backOff } from './back-off.ts';
import { createSchema, StoreDatabase } from './database.ts';
import { asStoreError } from './fs-errors.ts';
import { type Libc, loadLibc } from './libc.ts';
import { type LocalStoreLayout, makeDirectories, refuseSymlinks, reserveSpace } from './local-store-layout.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { loadSqlite, type SqliteOptions, whenFree } from './sqlite.ts';
import { TempRoots } from './temp-roots.ts';

export interface LocalStoreState extends AsyncDisposable {
  readonly database: StoreDatabase;
  /** What only changes need; undefined in a read-only store. */
  readonly writable: WritableState | undefined;
}

export interface WritableState {
  readonly libc: Libc;
  readonly tempRoots: TempRoots;
}

/**
 * Opens the state of a store, and makes the store where there is none.
 *
 * @throws {StoreError} where the store cannot be used as asked. One with another schema is not touched.
 */
export async function openLocalStoreState(layout: LocalStoreLayout, settings: Settings): Promise<LocalStoreState> {
  try {
    readSchema(layout);
    return layout.readOnly ? await openReadOnly(layout) : await openWritable(layout, settings);
  } catch (error) {
    throw asStoreError(`cannot open store '${layout.uri}'`, error);
  }
}

async function openReadOnly(layout: LocalStoreLayout): Promise<LocalStoreState> {
  if (readSchema(layout) === undefined) {
    throw new StoreError(`store '${layout.uri}' does not exist`, {
      hint: 'a read-only store is not made when missing',
    });
  }
  const database = await openDatabase(layout, { create: false, readOnly: true, fsyncMetadata: false });
  return { database, writable: undefined, [Symbol.asyncDispose]: async () => database[Symbol.dispose]() };
}

async function openWritable(layout: LocalStoreLayout, settings: Settings): Promise<LocalStoreState> {
  const { fsyncMetadata } = settings;
  makeDirectories(layout);
  refuseSymlinks(layout.realStoreDir);
  await using opened = new AsyncDisposableStack();
  const libc = loadLibc();
  reserveSpace(layout, libc, settings.gcReservedSpace);
  opened.use(await takeBigLock(layout, libc));
  // Once more: whoever had the lock may have changed it.
  const create = readSchema(layout) === undefined;
  const database = opened.use(await openDatabase(layout, { create, readOnly: false, fsyncMetadata }));
  if (create) await writeSchema(layout);
  const tempRoots = opened.use(new TempRoots(libc, layout.stateDir));
  const resources = opened.move();
  return { database, writable: { libc, tempRoots }, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Shared by all who use the store, taken alone by whoever changes its schema. */
async function takeBigLock({ stateDir }: LocalStoreLayout, libc: Libc): Promise<Disposable> {
  const file = join(stateDir, 'db/big-lock');
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600), closeSync);
  for (let attempt = 0; !libc.tryLock(fd, 'shared', file); attempt++) await backOff(attempt);
  return opened.move();
}

async function openDatabase({ stateDir, storeDir }: LocalStoreLayout, options: SqliteOptions): Promise<StoreDatabase> {
  const open = loadSqlite();
  return await whenFree(() => {
    using opened = new DisposableStack();
    const connection = opened.adopt(open(join(stateDir, 'db/db.sqlite'), options), (each) => void each.close());
    if (options.create) createSchema(connection);
    const database = new StoreDatabase(connection, storeDir);
    opened.move();
    return database;
  });
}

/**
 * @returns undefined where there is no store yet.
 * @throws {StoreError} on any schema but the one that is known.
 */
function readSchema({ stateDir, uri }: LocalStoreLayout): string | undefined {
  let schema: string;
  try {
    schema = readFileSync(join(stateDir, 'db/schema'), 'latin1').slice(0, 100).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (schema === SCHEMA_VERSION) return schema;
  const older = Number(schema) < Number(SCHEMA_VERSION);
  throw new StoreError(`store '${uri}' has schema ${JSON.stringify(schema)}, wanted "${SCHEMA_VERSION}"`, {
    hint: older ? 'open it with Nix 2 once, which brings it up to date' : 'it was made for a later version of Nix',
  });
}

/** In one step: whoever finds the file finds all of it. Others may do the same at the same time. */
async function writeSchema({ stateDir }: LocalStoreLayout): Promise<void> {
  const file = join(stateDir, 'db/schema');
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  await writeFile(temporary, SCHEMA_VERSION, { flush: true });
  await rename(temporary, file);
}

/**
 * Opening what a local store keeps beside its contents: directories, the big lock, the database, temporary roots.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::LocalStore.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { StoreError } from '../errors.ts';
import { quote } from '../formats/quote.ts';
import type { Settings } from '../settings.ts';
import { backOff } from './back-off.ts';
import { createSchema, StoreDatabase } from './database.ts';
import { asStoreError, isSystemError } from './fs-errors.ts';
import { type Libc, loadLibc } from './libc.ts';
import {
  databaseFile,
  halveReserve,
  type LocalStoreLayout,
  makeDirectories,
  readOnlyUri,
  refuseSymlinks,
  reserveSpace,
  shareStoreDirectory,
} from './local-store-layout.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { DAMAGED, isOutOfRoom, loadSqlite, type SqliteOptions, whenFree } from './sqlite.ts';
import { TempRoots } from './temp-roots.ts';

/** For so many milliseconds others may keep the big lock to themselves: an upgrade of a large database takes seconds. */
const PATIENCE = 60_000;

export interface OpenStateOptions {
  readonly patience?: number | undefined;
}

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
export async function openLocalStoreState(
  layout: LocalStoreLayout,
  settings: Settings,
  { patience = PATIENCE }: OpenStateOptions = {},
): Promise<LocalStoreState> {
  try {
    readSchema(layout);
    return layout.readOnly ? await openReadOnly(layout) : await openWritable(layout, settings, patience);
  } catch (error) {
    throw cannotOpen(layout, error);
  }
}

function cannotOpen(layout: LocalStoreLayout, error: unknown): Error {
  const failure = asStoreError(`cannot open store '${layout.uri}'`, error);
  if (failure === error || !isSystemError(error)) return failure;
  const { code = '', syscall } = error;
  let { hint } = failure;
  if (code === 'ENOENT' && syscall === 'mkdir') hint = 'that file system lets nobody make directories: name another';
  if (['EACCES', 'EPERM', 'EROFS'].includes(code) && isReadable(layout)) {
    hint = `to read it only, call it '${readOnlyUri(layout)}'; to change it, ${hint}`;
  }
  return new StoreError(failure.message, { cause: error, hint });
}

function isReadable({ stateDir }: LocalStoreLayout): boolean {
  try {
    accessSync(databaseFile(stateDir), constants.R_OK);
    return true;
  } catch {
    return false;
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

async function openWritable(layout: LocalStoreLayout, settings: Settings, patience: number): Promise<LocalStoreState> {
  makeDirectories(layout);
  refuseSymlinks(layout.realStoreDir);
  await using opened = new AsyncDisposableStack();
  // Loading takes as long as one turn of the event loop may: in one of its own, apart from thousands of goals that begin,
  // and after one in which connections that have just been made send what they are for.
  await setImmediate();
  await setImmediate();
  const libc = loadLibc();
  await setImmediate();
  shareStoreDirectory(layout, libc, settings.buildUsersGroup);
  reserveSpace(layout, libc, settings.gcReservedSpace);
  opened.use(await takeBigLock(layout, libc, patience));
  // Once more: whoever had the lock may have changed it.
  const create = readSchema(layout) === undefined;
  const options = { create, readOnly: false, fsyncMetadata: settings.fsyncMetadata };
  const database = opened.use(
    await openDatabase(layout, options).catch((error) => {
      // Not even the collector could open it.
      if (!(error instanceof StoreError && isOutOfRoom(error))) throw error;
      halveReserve(layout.stateDir);
      return openDatabase(layout, options);
    }),
  );
  if (create) await writeSchema(layout);
  const tempRoots = opened.use(new TempRoots(libc, layout.stateDir));
  const resources = opened.move();
  return { database, writable: { libc, tempRoots }, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Shared by all who use the store, taken alone by whoever changes its schema. */
async function takeBigLock({ stateDir, uri }: LocalStoreLayout, libc: Libc, patience: number): Promise<Disposable> {
  const file = join(stateDir, 'db/big-lock');
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600), closeSync);
  const start = performance.now();
  for (let attempt = 0; !libc.tryLock(fd, 'shared', file); attempt++) {
    if (performance.now() - start > patience) {
      throw new StoreError(`store '${uri}' is being upgraded by another process, which has locked '${file}'`, {
        hint: `try again when that is done; 'lslocks' or 'fuser ${file}' tells who it is`,
        transient: true,
      });
    }
    await backOff(attempt);
  }
  return opened.move();
}

async function openDatabase(layout: LocalStoreLayout, options: SqliteOptions): Promise<StoreDatabase> {
  const { stateDir, storeDir } = layout;
  const file = databaseFile(stateDir);
  if (!options.create) refuseEmpty(layout, file);
  const open = loadSqlite();
  const openOnce = (): StoreDatabase => {
    using opened = new DisposableStack();
    const connection = opened.adopt(open(file, options), (each) => void each.close());
    if (options.create) createSchema(connection);
    const database = new StoreDatabase(connection, storeDir);
    opened.move();
    return database;
  };
  return await whenFree(openOnce, undefined, file);
}

/** SQLite would make a database of nothing, in which nothing is valid. */
function refuseEmpty({ uri }: LocalStoreLayout, file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats !== undefined && stats.size > 0) return;
  const problem = stats === undefined ? 'is missing' : 'is empty';
  throw new StoreError(`store '${uri}' has a schema, but its database '${file}' ${problem}`, { hint: DAMAGED });
}

/**
 * @returns undefined where there is no store yet.
 * @throws {StoreError} on any schema but the one that is known.
 */
function readSchema({ stateDir, uri }: LocalStoreLayout): string | undefined {
  const file = join(stateDir, 'db/schema');
  let schema: string;
  try {
    schema = readFileSync(file, 'latin1').slice(0, 100).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asStoreError(`cannot open store '${uri}': cannot read '${file}'`, error);
  }
  if (schema === SCHEMA_VERSION) return schema;
  if (!/^\d{1,9}$/.test(schema)) {
    const hint = `'${file}' is damaged: where nothing else is, write '${SCHEMA_VERSION}' into it, without a newline`;
    throw new StoreError(`'${file}' says ${quote(schema)}, wanted "${SCHEMA_VERSION}"`, { hint });
  }
  const isOlder = Number(schema) < Number(SCHEMA_VERSION);
  throw new StoreError(`store '${uri}' has schema "${schema}", wanted "${SCHEMA_VERSION}"`, {
    hint: isOlder
      ? 'open it with Nix 2 once, which brings it up to date'
      : 'it was made for a later version of Nix; nothing was changed',
  });
}

/** In one step: whoever finds the file finds all of it. Others may do the same at the same time. */
async function writeSchema({ stateDir }: LocalStoreLayout): Promise<void> {
  const file = join(stateDir, 'db/schema');
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(temporary, { force: true }));
  await writeFile(temporary, SCHEMA_VERSION, { flush: true });
  await rename(temporary, file);
}

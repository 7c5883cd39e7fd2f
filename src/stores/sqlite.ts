/**
 * Opening a SQLite database that other processes use too, and waiting for it without blocking the event loop.
 *
 * SQLite's own busy timeout sleeps inside the call, so it is zero here: a call on a busy database fails at once, and
 * the whole action is tried again later. In WAL mode only writers meet each other; a reader finds the database busy
 * no more than while another process recovers or closes it.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type Sqlite from 'better-sqlite3';
import { SluiceError, StoreError } from '../errors.ts';
import { backOff } from './back-off.ts';

/** After that long something is wrong: as Nix, in milliseconds. */
const GIVE_UP_AFTER = 60 * 60 * 1000;
/** Pages of the log that are written back at once: Nix's number, enough for the closure of a whole system. */
const CHECKPOINT_PAGES = 40_000;

export interface SqliteOptions {
  /** Make the database where there is none. */
  readonly create: boolean;
  readonly readOnly: boolean;
  /** Flush the log before a checkpoint; without it a crash of the machine may destroy the database. */
  readonly fsyncMetadata: boolean;
}

/**
 * Opens a database in WAL mode with foreign keys on. Loading SQLite takes about 15 ms, once a thread.
 *
 * @throws what better-sqlite3 throws: call it inside {@link whenFree}.
 */
export function loadSqlite(): (file: string, options: SqliteOptions) => Sqlite.Database {
  const Database = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite;
  return (file, { create, readOnly, fsyncMetadata }) => {
    using opened = new DisposableStack();
    const copy = readOnly && !hasLog(file) ? readWithoutLog(file) : undefined;
    const options = { timeout: 0, readonly: readOnly, fileMustExist: !create };
    const connection = opened.adopt(new Database(copy ?? file, options), (database) => void database.close());
    connection.pragma('foreign_keys = on');
    if (!readOnly) {
      connection.pragma(`synchronous = ${fsyncMetadata ? 'normal' : 'off'}`);
      connection.pragma('main.journal_mode = wal');
      connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    }
    opened.move();
    return connection;
  };
}

/** Whether someone has the database open, or left changes in its log that only a connection with a log sees. */
function hasLog(file: string): boolean {
  return existsSync(`${file}-shm`) && (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/**
 * The bytes of a database that nobody has open, to be read from memory: a connection to the file itself would make a
 * log beside it, which a reader must not, and often may not.
 */
function readWithoutLog(file: string): Buffer | undefined {
  const bytes = readFileSync(file);
  if (hasLog(file)) return undefined; // somebody opened it meanwhile: so do we
  // The marks of WAL mode, which memory does not have: "File format version numbers" of the SQLite file format.
  if (bytes.length > 20) bytes.fill(1, 18, 20);
  return bytes;
}

/**
 * Runs an action on a database, again and again while the database is busy. The action must leave nothing behind
 * when it throws.
 *
 * @param file - the database, for messages.
 * @throws {StoreError} for everything else that SQLite says, and after an hour.
 */
export async function whenFree<T>(action: () => T, signal?: AbortSignal, file?: string): Promise<T> {
  const start = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return action();
    } catch (error) {
      if (error instanceof SluiceError || !isSqliteError(error)) throw error;
      if (!isBusy(error.code) || performance.now() - start > GIVE_UP_AFTER) throw databaseError(error, file);
    }
    await backOff(attempt, signal);
  }
}

function isSqliteError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_');
}

function isBusy(code: string): boolean {
  return code.startsWith('SQLITE_BUSY') || code === 'SQLITE_PROTOCOL';
}

/** Whether SQLite found no room for what it wanted to write; it does not always know that this was why. */
export function isOutOfRoom({ cause }: StoreError): boolean {
  return cause instanceof Error && isSqliteError(cause) && /^SQLITE_(FULL|IOERR|CANTOPEN)/.test(cause.code);
}

const NOT_WRITABLE = "open the store as a user who may write its database, or with '?read-only=true'";
/** What to do about a damaged database, to which nothing is ever written. */
export const DAMAGED: string =
  "put a backup in its place, or move the directory that holds it away, and have 'sluice store load-db' make it anew of what 'sluice store dump-db' once printed";
const HINTS: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'make room on the disk that holds it',
  SQLITE_IOERR: 'the disk that holds it may be full (see df), or broken (see dmesg)',
  SQLITE_CORRUPT: DAMAGED,
  SQLITE_NOTADB: DAMAGED,
  SQLITE_ERROR: DAMAGED, // tables or columns are missing
  SQLITE_READONLY: NOT_WRITABLE,
  SQLITE_CANTOPEN: NOT_WRITABLE,
};

function databaseError(error: Error & { readonly code: string }, file: string | undefined): StoreError {
  const [, kind] = /^(SQLITE_[A-Z]+)/.exec(error.code) ?? [];
  const what = file === undefined ? "the store's database" : `database '${file}'`;
  return new StoreError(`${what}: ${error.message} (${error.code})`, { cause: error, hint: HINTS[kind ?? ''] });
}

/**
 * The collector's own connection to a store's database: it reads all of it, a page at a time, and deletes rows. A
 * connection of its own, so that the store's notices what has gone, as it does with the collectors of others.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::invalidatePathChecked.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type Sqlite from 'better-sqlite3';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { databaseFile } from '../local-store-layout.ts';
import { loadSqlite, whenFree } from '../sqlite.ts';

/** Rows of one page: read in some milliseconds. */
const PAGE_SIZE = 5_000;

/** Of pages in memory: rows are deleted all over the database, and each is there several times. */
const CACHE_KIB = 64 * 1024;

/** A valid path; what is not known of it is null. */
export type ValidPathRow = readonly [id: number, path: string, deriver: string | null, narSize: number | null];
/** A reference, by ids. */
export type ReferenceRow = readonly [referrer: number, reference: number];
/** An output that a derivation has, valid or not. */
export type OutputRow = readonly [derivation: number, name: string, path: string];

/** A path that is to go. */
export interface Candidate {
  readonly path: StorePath;
  /** The row that made it valid when the database was read; where there was none, undefined. */
  readonly id: number | undefined;
}

export interface GcDatabaseOptions {
  readonly stateDir: string;
  readonly storeDir: StoreDir;
  readonly readOnly: boolean;
  /** Whether what is deleted stays so when the machine crashes. */
  readonly fsyncMetadata: boolean;
}

/** Opens the database of a store that is open, and stays so for as long. */
export async function openGcDatabase(options: GcDatabaseOptions): Promise<GcDatabase> {
  const file = databaseFile(options.stateDir);
  const { readOnly, fsyncMetadata } = options;
  const connect = loadSqlite();
  const open = (): Sqlite.Database => connect(file, { create: false, readOnly, fsyncMetadata });
  const connection = await whenFree(open, undefined, file);
  connection.pragma(`cache_size = -${CACHE_KIB}`);
  return new GcDatabase(connection, options.storeDir, fsyncMetadata ? `${file}-wal` : undefined);
}

export class GcDatabase implements AsyncDisposable {
  readonly #connection: Sqlite.Database;
  readonly #storeDir: StoreDir;
  readonly #logFile: string | undefined;
  readonly #statements: ReturnType<typeof prepare>;
  #log: FileHandle | undefined;

  /** Use {@link openGcDatabase}. */
  constructor(connection: Sqlite.Database, storeDir: StoreDir, logFile: string | undefined) {
    this.#connection = connection;
    this.#storeDir = storeDir;
    this.#logFile = logFile;
    this.#statements = prepare(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log?.close();
    this.#connection.close();
  }

  /** By id; the last page is empty. Start with 0. */
  validPathsAfter(id: number): ValidPathRow[] {
    return this.#statements.validPaths.all(id, PAGE_SIZE);
  }

  /** By referrer and reference; the last page is empty. Start with zeros. */
  referencesAfter([referrer, reference]: ReferenceRow): ReferenceRow[] {
    return this.#statements.references.all(referrer, reference, PAGE_SIZE);
  }

  /** By derivation and name; the last page is empty. Start with a zero and empty texts. */
  outputsAfter([derivation, name]: OutputRow): OutputRow[] {
    return this.#statements.outputs.all(derivation, name, PAGE_SIZE);
  }

  /**
   * Makes paths invalid, in one transaction.
   *
   * @param candidates - what refers to others before them.
   * @returns for each whether it may be deleted. One that has become valid meanwhile stays, and one that something
   *   refers to: whoever registered it may have told nobody.
   */
  async invalidate(candidates: readonly Candidate[]): Promise<readonly boolean[]> {
    const transaction = this.#connection.transaction(() => candidates.map((each) => this.#invalidate(each)));
    const gone = await whenFree(() => transaction.immediate());
    await this.#flush();
    return gone;
  }

  #invalidate({ path, id }: Candidate): boolean {
    if (id !== undefined && this.#statements.remove.run({ id }).changes > 0) return true;
    return this.#statements.id.get(printStorePath(this.#storeDir, path)) === undefined;
  }

  /**
   * Makes what was committed durable. SQLite leaves it to the system when its log is written, so a power cut might
   * bring back a row whose contents are deleted.
   */
  async #flush(): Promise<void> {
    if (this.#logFile === undefined) return;
    this.#log ??= await open(this.#logFile, 'r+');
    await this.#log.datasync();
  }
}

function prepare(connection: Sqlite.Database) {
  const rows = <Parameters extends unknown[], Row>(sql: string) => connection.prepare<Parameters, Row>(sql).raw();
  return {
    validPaths: rows<[id: number, limit: number], ValidPathRow>(
      'select id, path, deriver, narSize from ValidPaths where id > ? order by id limit ?',
    ),
    references: rows<[referrer: number, reference: number, limit: number], ReferenceRow>(
      'select referrer, reference from Refs where (referrer, reference) > (?, ?) order by referrer, reference limit ?',
    ),
    outputs: rows<[derivation: number, name: string, limit: number], OutputRow>(
      'select drv, id, path from DerivationOutputs where (drv, id) > (?, ?) order by drv, id limit ?',
    ),
    id: connection.prepare<[path: string], unknown>('select id from ValidPaths where path = ?'),
    remove: connection.prepare<[{ id: number }], unknown>(
      `delete from ValidPaths where id = :id
        and not exists (select 1 from Refs where reference = :id and referrer <> :id)`,
    ),
  };
}

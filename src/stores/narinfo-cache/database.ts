/**
 * The database in which narinfos are remembered: many questions in one statement, many answers in one transaction. All
 * calls are synchronous, and throw what SQLite says.
 */
import type Sqlite from 'better-sqlite3';
import type { NixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { StoreDir } from '../../formats/store-path.ts';
import { loadSqlite } from '../sqlite.ts';
import type { Remembered } from './remembered-cache.ts';
import { SCHEMA, VERSION } from './schema.ts';

/** Pages of the log before they are written back into the file. */
const CHECKPOINT_PAGES = 2_000;
/** In bytes; beyond it SQLite says that it is full. */
const MAX_FILE_SIZE = 1024 * 1024 * 1024;

/** Which cache. */
export interface CacheKey {
  readonly url: string;
  readonly storeDir: StoreDir;
}

/** What has been learned of a path. */
export interface NarInfoChange {
  readonly cache: CacheKey;
  readonly hashPart: string;
  /** Undefined where nothing is known any more; its `value` is undefined where the cache does not have the path. */
  readonly answer: Remembered<string | undefined> | undefined;
}

/** Entries that were learned before are of no use. Milliseconds since 1970. */
export interface PurgeLimits {
  readonly negative: number;
  readonly positive: number;
}

/** The file has tables of somebody else, such as a later version of this program. */
export class ForeignDatabaseError extends Error {}

export class NarInfoDatabase implements Disposable {
  readonly #connection: Sqlite.Database;
  readonly #statements: ReturnType<typeof prepare>;

  /** @param connection - to a database that has its tables. */
  constructor(connection: Sqlite.Database) {
    this.#connection = connection;
    this.#statements = prepare(connection);
  }

  /**
   * Makes the file where there is none, but not its directory.
   *
   * @throws {ForeignDatabaseError} where the file is left alone.
   */
  static open(file: string): NarInfoDatabase {
    using opened = new DisposableStack();
    const options = { create: true, readOnly: false, fsyncMetadata: false };
    const connection = opened.adopt(loadSqlite()(file, options), (database) => void database.close());
    connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.pragma(`max_page_count = ${MAX_FILE_SIZE / Number(connection.pragma('page_size', { simple: true }))}`);
    if (versionOf(connection) !== VERSION) makeTables(connection);
    const database = new NarInfoDatabase(connection);
    opened.move();
    return database;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  /** Lets each call hold up the thread for so long while another process writes. */
  waitWhenBusy(milliseconds: number): void {
    this.#connection.pragma(`busy_timeout = ${milliseconds}`);
  }

  /** All that happens in one transaction, which has the write lock from its start where it `writes`. */
  transaction<T>(action: () => T, { writes = false }: { readonly writes?: boolean } = {}): T {
    const transaction = this.#connection.transaction(action);
    return writes ? transaction.immediate() : transaction();
  }

  cacheInfo({ url, storeDir }: CacheKey): Remembered<NixCacheInfo> | undefined {
    const row = this.#statements.cacheInfo.get(url, storeDir);
    if (row === undefined) return undefined;
    const value = { storeDir, wantMassQuery: row.wantMassQuery === 1, priority: row.priority ?? undefined };
    return { value, since: row.timestamp };
  }

  /** What is known of these paths, by hash part. */
  narInfos({ url, storeDir }: CacheKey, hashParts: readonly string[]): Map<string, Remembered<string | undefined>> {
    const rows = this.#statements.narInfos.all(JSON.stringify(hashParts), url, storeDir);
    return new Map(rows.map(([hashPart, since, text]) => [hashPart, { value: text ?? undefined, since }]));
  }

  setCacheInfo({ url, storeDir }: CacheKey, { value, since }: Remembered<NixCacheInfo>): void {
    this.#statements.setCacheInfo.run(url, storeDir, since, value.wantMassQuery ? 1 : 0, value.priority ?? null);
  }

  change({ cache: { url, storeDir }, hashPart, answer }: NarInfoChange): void {
    if (answer === undefined) {
      this.#statements.forgetNarInfo.run(url, storeDir, hashPart);
      return;
    }
    const { since, value } = answer;
    if (this.#statements.setNarInfo.run(hashPart, since, value ?? null, url, storeDir).changes > 0) return;
    this.#statements.addCache.run(url, storeDir);
    this.#statements.setNarInfo.run(hashPart, since, value ?? null, url, storeDir);
  }

  /** Deletes at most `count` of the oldest narinfos that are more than `maxRows`. */
  limit(maxRows: number, count: number): number {
    return this.#statements.deleteBeyond.run({ maxRows, count }).changes;
  }

  /** Deletes at most `count` narinfos of no use, and when there are no more of them the caches without any. */
  purge({ negative, positive }: PurgeLimits, count: number): number {
    const { deleteOld, deleteCaches } = this.#statements;
    const negatives = deleteOld.run({ negative: 1, before: negative, count }).changes;
    const positives = deleteOld.run({ negative: 0, before: positive, count: count - negatives }).changes;
    return negatives + positives || deleteCaches.run(positive).changes;
  }

  /** When the last purge was done; undefined where there was none. */
  lastPurge(): number | undefined {
    return this.#statements.lastPurge.get();
  }

  purged(now: number): void {
    this.#statements.purged.run(now);
  }
}

function versionOf(connection: Sqlite.Database): unknown {
  return connection.pragma('user_version', { simple: true });
}

function makeTables(connection: Sqlite.Database): void {
  const make = connection.transaction(() => {
    if (versionOf(connection) === VERSION) return; // another process was faster
    const tables = connection.prepare('select count(*) from sqlite_schema').pluck().get();
    if (versionOf(connection) !== 0 || tables !== 0) throw new ForeignDatabaseError('it has tables of another kind');
    connection.exec(SCHEMA);
  });
  make.immediate();
}

interface CacheInfoRow {
  readonly timestamp: number;
  readonly wantMassQuery: number;
  readonly priority: number | null;
}
type NarInfoRow = readonly [hashPart: string, timestamp: number, text: string | null];
type Deletion = { readonly negative: number; readonly before: number; readonly count: number };

function prepare(connection: Sqlite.Database) {
  return {
    cacheInfo: connection.prepare<[string, string], CacheInfoRow>(
      `select timestamp, wantMassQuery, priority from Caches
       where url = ? and storeDir = ? and timestamp is not null`,
    ),
    // The questions come first in the join: each is then looked up in the index of the narinfos.
    narInfos: connection
      .prepare<[string, string, string], NarInfoRow>(
        `select NarInfos.hashPart, NarInfos.timestamp, NarInfos.text
         from Caches cross join json_each(?) as question
         cross join NarInfos on NarInfos.cache = Caches.id and NarInfos.hashPart = question.value
         where Caches.url = ? and Caches.storeDir = ?`,
      )
      .raw(),
    setCacheInfo: connection.prepare<[string, string, number, number, number | null]>(
      `insert into Caches (url, storeDir, timestamp, wantMassQuery, priority) values (?, ?, ?, ?, ?)
       on conflict (url, storeDir) do update set
         timestamp = excluded.timestamp, wantMassQuery = excluded.wantMassQuery, priority = excluded.priority`,
    ),
    addCache: connection.prepare<[string, string]>('insert or ignore into Caches (url, storeDir) values (?, ?)'),
    setNarInfo: connection.prepare<[string, number, string | null, string, string]>(
      `insert or replace into NarInfos (cache, hashPart, timestamp, text)
       select id, ?, ?, ? from Caches where url = ? and storeDir = ?`,
    ),
    forgetNarInfo: connection.prepare<[string, string, string]>(
      `delete from NarInfos
       where cache = (select id from Caches where url = ? and storeDir = ?) and hashPart = ?`,
    ),
    deleteBeyond: connection.prepare<[{ readonly maxRows: number; readonly count: number }]>(
      `delete from NarInfos where id in (
         select id from NarInfos where id <= (select max(id) from NarInfos) - @maxRows order by id limit @count)`,
    ),
    deleteOld: connection.prepare<[Deletion]>(
      `delete from NarInfos where id in (
         select id from NarInfos where (text is null) = @negative and timestamp < @before limit @count)`,
    ),
    deleteCaches: connection.prepare<[number]>(
      `delete from Caches where coalesce(timestamp, 0) < ?
       and not exists (select 1 from NarInfos where cache = Caches.id)`,
    ),
    lastPurge: connection.prepare<[], number>('select timestamp from LastPurge').pluck(),
    purged: connection.prepare<[number]>('insert or replace into LastPurge (id, timestamp) values (1, ?)'),
  };
}

/**
 * What a store's database says of contents, a page at a time, and the filling in of what it does not say. A row that
 * makes no sense is handed out as it is: others are none the worse for it.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::verifyStore.
 */
import type Sqlite from 'better-sqlite3';
import { databaseFile } from '../local-store-layout.ts';
import { loadSqlite, whenFree } from '../sqlite.ts';

/** Rows of one page: read in some milliseconds. */
const PAGE_SIZE = 5_000;

/** A valid path; `narSize` is null where it is not known. */
export interface RegisteredRow {
  readonly id: number;
  /** Full, as the database has it. */
  readonly path: string;
  /** `sha256:HEX`. */
  readonly hash: string;
  readonly narSize: number | null;
}

/** What was found out that the database did not know. */
export interface Completion {
  readonly id: number;
  readonly hash: string;
  readonly narSize: number;
}

export interface RegisteredPathsOptions {
  readonly stateDir: string;
  readonly readOnly: boolean;
  readonly fsyncMetadata: boolean;
}

/** Opens the database of a store that is open, and stays so for as long. */
export async function openRegisteredPaths(options: RegisteredPathsOptions): Promise<RegisteredPaths> {
  const { stateDir, readOnly, fsyncMetadata } = options;
  const connect = loadSqlite();
  const file = databaseFile(stateDir);
  const open = (): Sqlite.Database => connect(file, { create: false, readOnly, fsyncMetadata });
  return new RegisteredPaths(await whenFree(open, undefined, file));
}

export class RegisteredPaths implements Disposable {
  readonly #connection: Sqlite.Database;
  readonly #statements: ReturnType<typeof prepare>;

  /** Use {@link openRegisteredPaths}. */
  constructor(connection: Sqlite.Database) {
    this.#connection = connection;
    this.#statements = prepare(connection);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  /** By id; the last page is empty. Start with 0. */
  async after(id: number): Promise<RegisteredRow[]> {
    return await whenFree(() => this.#statements.page.all(id, PAGE_SIZE));
  }

  /** @param path - full. */
  async find(path: string): Promise<RegisteredRow | undefined> {
    return await whenFree(() => this.#statements.one.get(path));
  }

  /** Of others than itself, what refers to the path of a row. */
  async referrers(id: number): Promise<number[]> {
    return await whenFree(() => this.#statements.referrers.all(id, id));
  }

  /** Fills in hashes and sizes, in one transaction. A path that is not valid any more is left out. */
  async complete(completions: readonly Completion[]): Promise<void> {
    const transaction = this.#connection.transaction(() => {
      for (const { hash, narSize, id } of completions) this.#statements.complete.run(hash, narSize, id);
    });
    await whenFree(() => transaction.immediate());
  }
}

function prepare(connection: Sqlite.Database) {
  const columns = 'select id, path, hash, narSize from ValidPaths';
  return {
    page: connection.prepare<[id: number, limit: number], RegisteredRow>(`${columns} where id > ? order by id limit ?`),
    one: connection.prepare<[path: string], RegisteredRow>(`${columns} where path = ?`),
    referrers: connection
      .prepare<[id: number, id: number], number>('select referrer from Refs where reference = ? and referrer <> ?')
      .pluck(),
    complete: connection.prepare<[hash: string, narSize: number, id: number], unknown>(
      'update ValidPaths set hash = ?, narSize = ? where id = ?',
    ),
  };
}

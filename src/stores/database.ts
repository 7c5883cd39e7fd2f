/**
 * The database of a local store: rows to path infos and back. All calls are synchronous, and fail at once where the
 * database is busy: they belong inside {@link whenFree}.
 *
 * Source: Nix 2.35 libstore/local-store.cc.
 */
import type Sqlite from 'better-sqlite3';
import { StoreError } from '../errors.ts';
import { printContentAddress } from '../formats/content-address.ts';
import { printHash } from '../formats/hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { SCHEMA } from './schema.ts';
import { StoreQueries } from './store-queries.ts';
import { readValidPath, type ValidPathRow } from './valid-path-row.ts';

/** Ids kept by path; more are forgotten all at once. */
const MAX_IDS = 65_536;
/** Rows of one page of {@link StoreDatabase.validPathsAfter}. */
const PAGE_SIZE = 2_000;

/** A derivation's output, as the collector wants to know it. */
export interface OutputRow {
  readonly name: string;
  readonly path: StorePath;
}

export type InsertResult =
  | { readonly state: 'registered' | 'alreadyValid' }
  | { readonly state: 'incomplete'; readonly missing: StorePath };

export class StoreDatabase implements Disposable {
  readonly #connection: Sqlite.Database;
  readonly #storeDir: StoreDir;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #transaction: Sqlite.Transaction<(action: () => unknown) => unknown>;
  readonly #read: Sqlite.Transaction<(paths: readonly StorePath[]) => StorePath[]>;
  /** Of valid paths. Holds until another connection commits, or a transaction of ours is undone. */
  readonly #ids = new Map<StorePath, number>();
  #dataVersion: unknown;
  #queries: StoreQueries | undefined;

  /** @param connection - to a database that has its tables. */
  constructor(connection: Sqlite.Database, storeDir: StoreDir) {
    this.#connection = connection;
    this.#storeDir = storeDir;
    this.#statements = prepare(connection);
    this.#transaction = connection.transaction((action: () => unknown) => {
      this.#forgetIdsIfChanged();
      return action();
    });
    this.#read = connection.transaction((paths) => paths.filter((path) => this.isValidPath(path)));
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  /** Its file name. */
  get file(): string {
    return this.#connection.name;
  }

  /** Questions about many paths at once. */
  get queries(): StoreQueries {
    this.#queries ??= new StoreQueries(this.#connection, this.#storeDir);
    return this.#queries;
  }

  isValidPath(path: StorePath): boolean {
    return this.#statements.id.get(this.#print(path)) !== undefined;
  }

  /** Those of `paths` that are valid, at one moment: a question for itself each takes and releases locks. */
  filterValid(paths: readonly StorePath[]): StorePath[] {
    return this.#read.deferred(paths);
  }

  /** @throws {StoreError} where the row is broken. */
  queryPathInfo(path: StorePath): PathInfo | undefined {
    const row = this.#statements.info.get(this.#print(path));
    if (row === undefined) return undefined;
    return readValidPath(this.#storeDir, path, row, this.#statements.references.all(row.id));
  }

  /** Those that refer to `path`, sorted; may hold the path itself. */
  queryReferrers(path: StorePath): StorePath[] {
    const referrers = this.#statements.referrers.all(this.#print(path));
    return referrers.map((text) => this.#parse(text)).sort();
  }

  /** @param hashPart - 32 nix32 digits. */
  queryPathFromHashPart(hashPart: string): StorePath | undefined {
    const prefix = `${this.#storeDir}/${hashPart}`;
    const found = this.#statements.firstFrom.get(prefix);
    return found?.startsWith(prefix) ? this.#parse(found) : undefined;
  }

  /** The next page of valid paths, by id; the last one is empty. Start with 0. */
  validPathsAfter(id: number): { readonly paths: readonly StorePath[]; readonly lastId: number } {
    const rows = this.#statements.page.all(id, PAGE_SIZE);
    return { paths: rows.map(({ path }) => this.#parse(path)), lastId: rows.at(-1)?.id ?? id };
  }

  /**
   * Runs `action` in one transaction that holds the write lock from its start, so that nothing it reads can change
   * under it. What `action` throws undoes all of it.
   */
  write<T>(action: () => T): T {
    try {
      return this.#transaction.immediate(action) as T;
    } catch (error) {
      this.#ids.clear(); // some may be of rows that are gone again
      throw error;
    }
  }

  /** Adds a path and its references, inside {@link write}; nothing is added where a reference is not valid. */
  insert(info: PathInfo, outputs: readonly OutputRow[], registrationTime: number): InsertResult {
    if (this.#idOf(info.path) !== undefined) return { state: 'alreadyValid' };
    const missing = info.references.find((path) => path !== info.path && this.#idOf(path) === undefined);
    if (missing !== undefined) return { state: 'incomplete', missing };

    const { lastInsertRowid } = this.#statements.insertPath.run(
      this.#print(info.path),
      printHash(info.narHash, 'base16'),
      info.registrationTime || registrationTime,
      info.deriver === undefined ? null : this.#print(info.deriver),
      info.narSize || null,
      info.ultimate ? 1 : null,
      info.signatures.join(' ') || null,
      info.contentAddress === undefined ? null : printContentAddress(info.contentAddress),
    );
    const id = Number(lastInsertRowid);
    this.#remember(info.path, id);
    for (const path of info.references) this.#statements.insertReference.run(id, this.#idOf(path)!);
    for (const { name, path } of outputs) this.#statements.insertOutput.run(id, name, this.#print(path));
    return { state: 'registered' };
  }

  /**
   * Says other things of a valid path, inside {@link write}: its hash, size, origin, signatures and content address.
   * References are added to those it had, as Nix does it; deriver and time stay.
   *
   * @throws {StoreError} where it is not valid, or refers to what is not; then nothing is changed.
   */
  update(info: PathInfo): void {
    const missing = [info.path, ...info.references].find((path) => this.#idOf(path) === undefined);
    if (missing !== undefined) {
      throw new StoreError(`cannot register '${this.#print(info.path)}' anew: '${this.#print(missing)}' is not valid`);
    }
    const id = this.#idOf(info.path)!;
    this.#statements.updatePath.run(
      printHash(info.narHash, 'base16'),
      info.narSize || null,
      info.ultimate ? 1 : null,
      info.signatures.join(' ') || null,
      info.contentAddress === undefined ? null : printContentAddress(info.contentAddress),
      id,
    );
    for (const path of info.references) this.#statements.addReference.run(id, this.#idOf(path)!);
  }

  #idOf(path: StorePath): number | undefined {
    const known = this.#ids.get(path);
    if (known !== undefined) return known;
    const id = this.#statements.id.get(this.#print(path));
    if (id !== undefined) this.#remember(path, id);
    return id;
  }

  #remember(path: StorePath, id: number): void {
    if (this.#ids.size >= MAX_IDS) this.#ids.clear();
    this.#ids.set(path, id);
  }

  /** A collector that deletes a path does so in a commit of its own, which changes the data version. */
  #forgetIdsIfChanged(): void {
    const version = this.#statements.dataVersion.get();
    if (version !== this.#dataVersion) this.#ids.clear();
    this.#dataVersion = version;
  }

  #print(path: StorePath): string {
    return printStorePath(this.#storeDir, path);
  }

  #parse(text: string): StorePath {
    return parseStorePath(this.#storeDir, text);
  }
}

/** Makes the tables that are missing. */
export function createSchema(connection: Sqlite.Database): void {
  connection.transaction(() => connection.exec(SCHEMA)).immediate();
}

function prepare(connection: Sqlite.Database) {
  const column = <Parameters extends unknown[], Value>(sql: string) =>
    connection.prepare<Parameters, Value>(sql).pluck();
  return {
    dataVersion: column<[], number>('pragma data_version'),
    id: column<[path: string], number>('select id from ValidPaths where path = ?'),
    info: connection.prepare<[path: string], ValidPathRow>(
      'select id, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths where path = ?',
    ),
    references: column<[id: number], string>(
      'select path from Refs join ValidPaths on reference = id where referrer = ?',
    ),
    referrers: column<[path: string], string>(
      'select path from Refs join ValidPaths on referrer = id where reference = (select id from ValidPaths where path = ?)',
    ),
    // An index finds the first path from there on; `like` would read them all.
    firstFrom: column<[prefix: string], string>('select path from ValidPaths where path >= ? order by path limit 1'),
    page: connection.prepare<[id: number, limit: number], { id: number; path: string }>(
      'select id, path from ValidPaths where id > ? order by id limit ?',
    ),
    insertPath: connection.prepare<
      [string, string, number, string | null, number | null, number | null, string | null, string | null]
    >(
      'insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca) values (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    updatePath: connection.prepare<[string, number | null, number | null, string | null, string | null, id: number]>(
      'update ValidPaths set hash = ?, narSize = ?, ultimate = ?, sigs = ?, ca = ? where id = ?',
    ),
    addReference: connection.prepare<[referrer: number, reference: number]>(
      'insert or ignore into Refs (referrer, reference) values (?, ?)',
    ),
    insertReference: connection.prepare<[referrer: number, reference: number]>(
      'insert into Refs (referrer, reference) values (?, ?)',
    ),
    insertOutput: connection.prepare<[derivation: number, name: string, path: string]>(
      'insert or replace into DerivationOutputs (drv, id, path) values (?, ?, ?)',
    ),
  };
}

/**
 * The temporary tables that hold a registration text, and the statements that take their rows over into the store's own
 * tables, a range at a time.
 */
import type Sqlite from 'better-sqlite3';
import { printHash } from '../../formats/hash.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import type { Registration } from '../../formats/validity-registration.ts';
import { Edges, NumberList } from '../gc/edges.ts';

/** An output of a derivation; paths in full. */
export interface LoadedOutput {
  readonly derivation: string;
  readonly name: string;
  readonly path: string;
}

/** A reference to a path that is not valid; paths in full. */
export interface Dangling {
  readonly referrer: string;
  readonly reference: string;
}

/** Row numbers, from the first to the last. */
type Range = [first: number, last: number];
type Table = 'paths' | 'references' | 'outputs';

/** Rows of one range. */
const RANGE = 2_000;

export class LoadTables {
  readonly #connection: Sqlite.Database;
  readonly #storeDir: StoreDir;
  readonly #statements: ReturnType<typeof prepare>;
  /** Rows are numbered from 1. */
  readonly #last = { paths: 0, references: 0, outputs: 0 };

  constructor(connection: Sqlite.Database, storeDir: StoreDir) {
    connection.exec(TABLES);
    this.#connection = connection;
    this.#storeDir = storeDir;
    this.#statements = prepare(connection);
  }

  /** What is said twice of a path counts as it was said last. */
  add(registrations: readonly Registration[]): void {
    const { addPath, addReference } = this.#statements;
    const last = this.#last;
    const print = (path: StorePath): string => printStorePath(this.#storeDir, path);
    this.#transaction(() => {
      for (const { path, narHash, narSize, deriver, references } of registrations) {
        const maker = deriver === undefined ? null : print(deriver);
        addPath.run(++last.paths, print(path), printHash(narHash, 'base16'), narSize || null, maker);
        for (const reference of references) addReference.run(++last.references, last.paths, print(reference));
      }
    });
  }

  addOutputs(outputs: readonly LoadedOutput[]): void {
    this.#transaction(() => {
      for (const { derivation, name, path } of outputs) {
        this.#statements.addOutput.run(++this.#last.outputs, derivation, name, path);
      }
    });
  }

  /** The rows of a table, so many at a time that a statement takes some milliseconds for them. */
  *ranges(table: Table): Generator<Range> {
    const last = this.#last[table];
    for (let first = 1; first <= last; first += RANGE) yield [first, Math.min(first + RANGE - 1, last)];
  }

  pathsIn(range: Range): string[] {
    return this.#statements.paths.all(...range);
  }

  /** A graph of what refers to what in the text; nodes are rows of paths. */
  get graph(): { readonly nodes: number; readonly edges: Edges } {
    const nodes = this.#last.paths + 1;
    const [from, to] = [new NumberList(), new NumberList()];
    for (const [referrer, reference] of this.#statements.edges.iterate()) {
      from.push(referrer);
      to.push(reference);
    }
    return { nodes, edges: Edges.pack(nodes, from, to) };
  }

  /** @returns how many have become valid, and how many were and have changed. */
  takeOverPaths(range: Range, now: number): { readonly added: number; readonly changed: number } {
    const changed = this.#statements.change.run(...range).changes;
    return { changed, added: this.#statements.takePaths.run(now, ...range).changes };
  }

  /** @returns a reference for which there is no valid path, after all paths were taken over. */
  takeOverReferences(range: Range): Dangling | undefined {
    const dangling = this.#statements.dangling.get(...range);
    if (dangling === undefined) this.#statements.takeReferences.run(...range);
    return dangling;
  }

  takeOverOutputs(range: Range): void {
    this.#statements.takeOutputs.run(...range);
  }

  #transaction(action: () => void): void {
    this.#connection.transaction(action)();
  }
}

const TABLES = `
  create temp table LoadedPaths (
    row integer primary key, path text unique not null, hash text not null, narSize integer, deriver text
  );
  create temp table LoadedReferences (row integer primary key, referrer integer not null, reference text not null);
  create temp table LoadedOutputs (row integer primary key, derivation text not null, name text not null, path text not null);
`;

function prepare(connection: Sqlite.Database) {
  const statement = <Parameters extends unknown[], Row = unknown>(sql: string) =>
    connection.prepare<Parameters, Row>(sql);
  return {
    // Where the path is there already it gets a new row, and the references of the old one belong to nobody.
    addPath: statement<[row: number, path: string, hash: string, narSize: number | null, deriver: string | null]>(
      'insert or replace into LoadedPaths values (?, ?, ?, ?, ?)',
    ),
    addReference: statement<[row: number, referrer: number, reference: string]>(
      'insert into LoadedReferences values (?, ?, ?)',
    ),
    addOutput: statement<[row: number, derivation: string, name: string, path: string]>(
      'insert into LoadedOutputs values (?, ?, ?, ?)',
    ),
    paths: statement<Range, string>('select path from LoadedPaths where row between ? and ?').pluck(),
    edges: statement<[], readonly [referrer: number, reference: number]>(
      `select referrer, target.row from LoadedReferences
        join LoadedPaths as source on source.row = referrer join LoadedPaths as target on target.path = reference`,
    ).raw(),
    // What was signed, and what a content address is of, has the old hash.
    change: statement<Range>(
      `update ValidPaths set hash = loaded.hash, narSize = ifnull(loaded.narSize, ValidPaths.narSize),
          sigs = iif(ValidPaths.hash = loaded.hash, sigs, null),
          ca = iif(ValidPaths.hash = loaded.hash, ca, null),
          ultimate = iif(ValidPaths.hash = loaded.hash, ultimate, null)
        from LoadedPaths as loaded where loaded.path = ValidPaths.path and loaded.row between ? and ?
          and (loaded.hash <> ValidPaths.hash or loaded.narSize is not ValidPaths.narSize and loaded.narSize is not null)`,
    ),
    takePaths: statement<[now: number, ...Range]>(
      `insert into ValidPaths (path, hash, registrationTime, deriver, narSize)
        select path, hash, ?, deriver, narSize from LoadedPaths where row between ? and ? order by row
        on conflict (path) do nothing`,
    ),
    dangling: statement<Range, Dangling>(
      `select source.path as referrer, reference from LoadedReferences as loaded
        join LoadedPaths as source on source.row = referrer
        where loaded.row between ? and ? and not exists (select 1 from ValidPaths where path = reference) limit 1`,
    ),
    takeReferences: statement<Range>(
      `insert or ignore into Refs (referrer, reference) select source.id, target.id from LoadedReferences as loaded
        join LoadedPaths as p on p.row = referrer
        join ValidPaths as source on source.path = p.path
        join ValidPaths as target on target.path = loaded.reference
        where loaded.row between ? and ?`,
    ),
    takeOutputs: statement<Range>(
      `insert or replace into DerivationOutputs (drv, id, path)
        select ValidPaths.id, name, loaded.path from LoadedOutputs as loaded
        join ValidPaths on ValidPaths.path = derivation where loaded.row between ? and ?`,
    ),
  };
}

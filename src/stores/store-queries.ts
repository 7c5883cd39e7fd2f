/**
 * Questions to a store's database about many paths at once: one statement for a whole set, however many it holds. As all
 * of the database's, these calls are synchronous and belong inside {@link whenFree}.
 *
 * Sets go in as JSON arrays, which SQLite reads as tables. Between the questions of a search paths are row ids.
 *
 * Source: Nix 2.35 libstore/local-store.cc, which asks for one path at a time.
 */
import type Sqlite from 'better-sqlite3';
import type { PathInfo } from '../formats/path-info.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { readValidPath, type ValidPathRow } from './valid-path-row.ts';

/** A way from valid paths to other valid ones. */
export type Step =
  /** What they refer to. */
  | 'references'
  /** What refers to them. */
  | 'referrers'
  /** Of those that are derivations, their outputs. */
  | 'outputs'
  /** Derivations of which they are outputs. */
  | 'derivers';

/** The parameter, a JSON array, as a table. */
const IDS = '(select value from json_each(?))';
const STEPS: Readonly<Record<Step, string>> = {
  references: `select distinct reference from Refs where referrer in ${IDS}`,
  referrers: `select distinct referrer from Refs where reference in ${IDS}`,
  outputs: `select distinct ValidPaths.id from DerivationOutputs as o join ValidPaths on ValidPaths.path = o.path
    where o.drv in ${IDS}`,
  derivers: `select distinct o.drv from ValidPaths join DerivationOutputs as o on o.path = ValidPaths.path
    where ValidPaths.id in ${IDS}`,
};

/** What all valid paths of a store come to. */
export interface StoreTotals {
  readonly paths: number;
  /** Bytes of their NARs, as far as these are known. */
  readonly narSize: number;
}

export class StoreQueries {
  readonly #storeDir: StoreDir;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(connection: Sqlite.Database, storeDir: StoreDir) {
    this.#storeDir = storeDir;
    this.#statements = prepare(connection);
  }

  /** The ids of those of `paths` that are valid. */
  idsOf(paths: readonly StorePath[]): number[] {
    return this.#statements.ids.all(this.#print(paths));
  }

  /** Where one step leads to from these ids; each once, some of them may be among `ids`. */
  follow(step: Step, ids: readonly number[]): number[] {
    return this.#statements.steps[step].all(JSON.stringify(ids));
  }

  /**
   * What is known of the paths with these ids; what is gone meanwhile is left out.
   *
   * @throws {StoreError} where a row is broken.
   */
  infosOf(ids: readonly number[]): PathInfo[] {
    const set = JSON.stringify(ids);
    const references = Map.groupBy(this.#statements.references.iterate(set), ([referrer]) => referrer);
    return this.#statements.infos.all(set).map((row) => {
      const texts = (references.get(row.id) ?? []).map(([, reference]) => reference);
      return readValidPath(this.#storeDir, parseStorePath(this.#storeDir, row.path), row, texts);
    });
  }

  /** Valid derivations of which any of `paths` is an output, sorted; the paths need not be valid. */
  validDeriversOf(paths: readonly StorePath[]): StorePath[] {
    const derivers = this.#statements.validDerivers.all(this.#print(paths));
    return derivers.map((text) => parseStorePath(this.#storeDir, text)).sort();
  }

  totals(): StoreTotals {
    return this.#statements.totals.get()!;
  }

  #print(paths: readonly StorePath[]): string {
    return JSON.stringify(paths.map((path) => printStorePath(this.#storeDir, path)));
  }
}

function prepare(connection: Sqlite.Database) {
  const column = <Value>(sql: string) => connection.prepare<[set: string], Value>(sql).pluck();
  return {
    ids: column<number>(`select id from ValidPaths where path in ${IDS}`),
    infos: connection.prepare<[ids: string], ValidPathRow & { readonly path: string }>(
      `select id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths where id in ${IDS}`,
    ),
    references: connection
      .prepare<[ids: string], readonly [referrer: number, reference: string]>(
        `select referrer, path from Refs join ValidPaths on reference = id where referrer in ${IDS}`,
      )
      .raw(),
    validDerivers: column<string>(
      `select distinct ValidPaths.path from DerivationOutputs as o join ValidPaths on o.drv = ValidPaths.id
        where o.path in ${IDS}`,
    ),
    steps: {
      references: column<number>(STEPS.references),
      referrers: column<number>(STEPS.referrers),
      outputs: column<number>(STEPS.outputs),
      derivers: column<number>(STEPS.derivers),
    } satisfies Record<Step, unknown>,
    totals: connection.prepare<[], StoreTotals>(
      'select count(*) as paths, ifnull(sum(narSize), 0) as narSize from ValidPaths',
    ),
  };
}

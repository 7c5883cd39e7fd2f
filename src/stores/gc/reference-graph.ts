/**
 * Which valid paths refer to which, and which derivation made them, read into memory at once: the collector asks for
 * all of it. Paths are numbers here, in the order in which they were registered.
 */
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { FormatError, StoreError } from '../../errors.ts';
import { hashPart, parseStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { whenFree } from '../sqlite.ts';
import { Edges, NumberList } from './edges.ts';
import type { GcDatabase, OutputRow, ReferenceRow, ValidPathRow } from './gc-database.ts';

export interface ReferenceGraph {
  readonly paths: readonly StorePath[];
  /** Rows of the database. */
  readonly ids: readonly number[];
  readonly narSizes: readonly number[];
  /** What each path refers to; not itself. */
  readonly references: Edges;
  readonly referrers: Edges;
  /** From a derivation to its valid outputs, and back. */
  readonly outputs: Edges;
  readonly derivations: Edges;
  /** From a path to the derivation that it was made by, where that is valid; and back. */
  readonly derivers: Edges;
  readonly derived: Edges;
  /** The number of a path; undefined where it is not valid. */
  find(path: StorePath): number | undefined;
  /** Those that start with a hash part: one, or none, unless the store is a strange one. */
  withHashPart(digits: string): readonly number[];
}

/** @throws {StoreError} on an entry of the database that is no store path; the reason of `signal`. */
export async function readReferenceGraph(
  database: GcDatabase,
  storeDir: StoreDir,
  signal?: AbortSignal,
): Promise<ReferenceGraph> {
  const builder = new GraphBuilder(storeDir);
  const zero: ValidPathRow = [0, '', null, null];
  await pages(zero, ([id]) => database.validPathsAfter(id), builder.addPaths, signal);
  await pages([0, 0], (last) => database.referencesAfter(last), builder.addReferences, signal);
  await pages([0, '', ''], (last) => database.outputsAfter(last), builder.addOutputs, signal);
  return builder.finish();
}

/** Reads page after page; between them the event loop gets its turn. */
async function pages<Row>(
  first: Row,
  read: (last: Row) => readonly Row[],
  add: (rows: readonly Row[]) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let last = first; ; await setImmediate()) {
    signal?.throwIfAborted();
    const rows = await whenFree(() => read(last), signal);
    if (rows.length === 0) return;
    add(rows);
    last = rows.at(-1)!;
  }
}

class GraphBuilder {
  readonly #storeDir: StoreDir;
  readonly #paths: StorePath[] = [];
  readonly #ids: number[] = [];
  readonly #narSizes: number[] = [];
  readonly #derivers: (string | null)[] = [];
  readonly #byHashPart = new Map<string, number[] | number>();
  readonly #byId = new Map<number, number>();
  readonly #references = { from: new NumberList(), to: new NumberList() };
  readonly #outputs = { from: new NumberList(), to: new NumberList() };

  constructor(storeDir: StoreDir) {
    this.#storeDir = storeDir;
  }

  addPaths = (rows: readonly ValidPathRow[]): void => {
    for (const [id, text, deriver, narSize] of rows) {
      const number = this.#paths.length;
      const path = this.#parse(text);
      this.#paths.push(path);
      this.#ids.push(id);
      this.#byId.set(id, number);
      this.#narSizes.push(narSize ?? 0);
      this.#derivers.push(deriver);
      const digits = hashPart(path);
      const others = this.#byHashPart.get(digits);
      this.#byHashPart.set(digits, others === undefined ? number : [others, number].flat());
    }
  };

  /** A row may speak of a path that was registered after the paths were read: the collector leaves that alone. */
  addReferences = (rows: readonly ReferenceRow[]): void => {
    for (const [referrer, reference] of rows) {
      const from = this.#byId.get(referrer);
      const to = this.#byId.get(reference);
      if (from !== undefined && to !== undefined && from !== to) add(this.#references, from, to);
    }
  };

  addOutputs = (rows: readonly OutputRow[]): void => {
    for (const [derivation, , path] of rows) {
      const from = this.#byId.get(derivation);
      const to = this.#lookUp(path);
      if (from !== undefined && to !== undefined) add(this.#outputs, from, to);
    }
  };

  finish(): ReferenceGraph {
    const derivers = { from: new NumberList(), to: new NumberList() };
    for (const [number, text] of this.#derivers.entries()) {
      const deriver = text === null ? undefined : this.#lookUp(text);
      if (deriver !== undefined) add(derivers, number, deriver);
    }
    const nodes = this.#paths.length;
    const there = ({ from, to }: EdgeList): Edges => Edges.pack(nodes, from, to);
    const back = ({ from, to }: EdgeList): Edges => Edges.pack(nodes, to, from);
    return {
      paths: this.#paths,
      ids: this.#ids,
      narSizes: this.#narSizes,
      references: there(this.#references),
      referrers: back(this.#references),
      outputs: there(this.#outputs),
      derivations: back(this.#outputs),
      derivers: there(derivers),
      derived: back(derivers),
      find: (path) => this.#find(path),
      withHashPart: (digits) => this.#withHashPart(digits),
    };
  }

  #withHashPart(digits: string): readonly number[] {
    const found = this.#byHashPart.get(digits);
    return found === undefined ? [] : [found].flat();
  }

  #find(path: StorePath): number | undefined {
    return this.#withHashPart(hashPart(path)).find((number) => this.#paths[number] === path);
  }

  /** The number of a path that the database speaks of; undefined where it is not valid. */
  #lookUp(text: string): number | undefined {
    const path = basename(text) as StorePath;
    return text === `${this.#storeDir}/${path}` ? this.#find(path) : undefined;
  }

  #parse(text: string): StorePath {
    try {
      return parseStorePath(this.#storeDir, text);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new StoreError(`the store's database has a broken entry '${text}'`, { cause: error });
    }
  }
}

interface EdgeList {
  readonly from: NumberList;
  readonly to: NumberList;
}

function add({ from, to }: EdgeList, start: number, end: number): void {
  from.push(start);
  to.push(end);
}

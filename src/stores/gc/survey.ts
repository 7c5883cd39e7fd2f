/**
 * What a collector knows of a store: what lies in its directory, what its database says, what its roots are, and so
 * what is alive and what is garbage. Roots may be added as long as it is in use.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::collectGarbage.
 */
import { readdir } from 'node:fs/promises';
import { hashPart, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { type Root, storePathNamed } from './find-roots.ts';
import type { Candidate, GcDatabase } from './gc-database.ts';
import { type Keep, Liveness } from './liveness.ts';
import { type ReferenceGraph, readReferenceGraph } from './reference-graph.ts';

export interface SurveyOptions extends Keep {
  readonly storeDir: StoreDir;
  readonly realStoreDir: string;
  readonly database: GcDatabase;
  /** Called when the entries are known; it works while the database is read. */
  readonly findRoots: () => Promise<FoundRoots>;
  readonly signal?: AbortSignal | undefined;
}

export interface FoundRoots {
  /** They count where the path is valid. */
  readonly roots: readonly Root[];
  /** They count always, and for all that has the same hash part. */
  readonly tempRoots: readonly Root[];
}

/** Something in the store directory that may go. */
export interface Garbage extends Candidate {
  /** Its number in the graph, where it is valid. */
  readonly number: number | undefined;
  /** About what it frees, in bytes; undefined where nobody knows. */
  readonly narSize: number | undefined;
}

/** Why a path must stay. */
export interface Refusal {
  readonly path: StorePath;
  /** What names the first of `way`: a symlink, `/proc/1/exe`, `{temp:1}`. Undefined where that is no root itself. */
  readonly root: string | undefined;
  /** Each keeps the next; the last is the path. */
  readonly way: readonly StorePath[];
}

/** Takes stock of a store. */
export async function takeSurvey(options: SurveyOptions): Promise<Survey> {
  // In this order: what becomes valid while the database is read is not among the entries.
  const entries = await readdir(options.realStoreDir);
  const { database, storeDir, signal, findRoots } = options;
  const [graph, found] = await Promise.all([readReferenceGraph(database, storeDir, signal), findRoots()]);
  return new Survey(options, entries, graph, found);
}

export class Survey {
  /** Entries of the store directory that have no name that a store path can have; `.links` is left out. */
  readonly junk: readonly string[];
  readonly #storeDir: StoreDir;
  readonly #graph: ReferenceGraph;
  readonly #liveness: Liveness;
  /** By number, what names it. */
  readonly #roots = new Map<number, string>();
  /** By hash part: it protects `HASH-NAME.lock` and the like as well. */
  readonly #tempRoots = new Map<string, string>();
  readonly #valid: number[] = [];
  readonly #invalid: StorePath[] = [];
  /** Valid paths that are alive but of which not even what they keep is there. */
  readonly #unreached = new Set<number>();

  /** Use {@link takeSurvey}. */
  constructor(options: SurveyOptions, entries: readonly string[], graph: ReferenceGraph, found: FoundRoots) {
    this.#storeDir = options.storeDir;
    this.#graph = graph;
    this.#liveness = new Liveness(graph, options);
    const junk: string[] = [];
    const there = new Uint8Array(graph.paths.length);
    for (const name of entries) {
      if (name === '.links') continue;
      const path = storePathNamed(name);
      const number = path && graph.find(path);
      if (number !== undefined) {
        there[number] = 1;
        this.#valid.push(number);
      } else if (path !== undefined) {
        this.#invalid.push(path);
      } else {
        junk.push(name);
      }
    }
    this.junk = junk;
    this.#valid.sort((a, b) => a - b);
    this.#addRoots(found, there);
  }

  #addRoots({ roots, tempRoots }: FoundRoots, there: Uint8Array): void {
    for (const { from, path } of roots) {
      const number = this.#graph.find(path);
      if (number !== undefined && !this.#roots.has(number)) this.#roots.set(number, from);
    }
    for (const { from, path } of tempRoots) this.#tempRoots.set(hashPart(path), from);
    const numbers = [...this.#roots.keys(), ...this.#temporary()];
    // First those that are there: of what they keep nothing is unreached.
    for (const root of numbers) if (there[root]) this.#liveness.markAlive(root);
    for (const root of numbers) {
      const marked = this.#liveness.markAlive(root);
      if (marked.some((each) => there[each])) continue;
      for (const each of marked) this.#unreached.add(each);
    }
  }

  *#temporary(): Generator<number> {
    for (const digits of this.#tempRoots.keys()) yield* this.#graph.withHashPart(digits);
  }

  /** Adds a temporary root: what it keeps is alive from here on. */
  protect(digits: string): void {
    this.#tempRoots.set(digits, '{temp}');
    for (const number of this.#graph.withHashPart(digits)) this.#liveness.markAlive(number);
  }

  /** Something refers to `garbage` that nobody told of. */
  keep({ number }: Garbage): void {
    if (number !== undefined) this.#liveness.markAlive(number);
  }

  isAlive({ path, number }: Garbage): boolean {
    if (number !== undefined && this.#liveness.isAlive(number)) return true;
    return this.#tempRoots.has(hashPart(path));
  }

  /** What `nix-store --gc --print-live` prints, sorted. */
  live(): StorePath[] {
    const { paths } = this.#graph;
    const valid = paths.filter((_, number) => this.#liveness.isAlive(number) && !this.#unreached.has(number));
    return [...valid, ...this.#invalid.filter((path) => this.#tempRoots.has(hashPart(path)))].sort();
  }

  /**
   * All garbage: what is not valid, then the oldest paths, but what refers to others before them. Those are among it
   * that are valid and not there, if they refer to garbage that is.
   */
  garbage(): Garbage[] {
    const invalid = this.#invalid.map((path) => this.#garbage(path)).filter((each) => !this.isAlive(each));
    const dead = this.#valid.filter((number) => !this.#liveness.isAlive(number));
    const all = [...this.#liveness.backwardClosure(dead)].filter((number) => !this.#liveness.isAlive(number));
    const order = this.#liveness.referrersFirst(all);
    return [...invalid, ...order.map((number) => this.#garbage(this.#graph.paths[number]!))];
  }

  /** Of `wanted` those that are garbage as they are, or as soon as all of them are gone; and why the others are not. */
  judge(wanted: readonly StorePath[]): { readonly garbage: readonly Garbage[]; readonly refused: readonly Refusal[] } {
    const refused: Refusal[] = [];
    const invalid: Garbage[] = [];
    const numbers = new Set<number>();
    const wantedNumbers = new Set(wanted.map((path) => this.#graph.find(path)));
    for (const path of new Set(wanted)) {
      const one = this.#garbage(path);
      const { number } = one;
      const refusal = number === undefined ? this.#refuseInvalid(one) : this.#refuse(path, number, wantedNumbers);
      if (refusal !== undefined) refused.push(refusal);
      else if (number === undefined) invalid.push(one);
      else numbers.add(number);
    }
    const order = this.#liveness.referrersFirst(numbers);
    return { garbage: [...invalid, ...order.map((number) => this.#garbage(this.#graph.paths[number]!))], refused };
  }

  #refuseInvalid({ path }: Garbage): Refusal | undefined {
    const root = this.#tempRoots.get(hashPart(path));
    return root === undefined ? undefined : { path, root, way: [path] };
  }

  #refuse(path: StorePath, number: number, wanted: ReadonlySet<number | undefined>): Refusal | undefined {
    const rootOf = (each: number): string | undefined =>
      this.#roots.get(each) ?? this.#tempRoots.get(hashPart(this.#graph.paths[each]!));
    const way =
      this.#liveness.wayTo(number, (each) => rootOf(each) !== undefined) ??
      this.#liveness.wayTo(number, (each) => !wanted.has(each));
    if (way === undefined) return undefined;
    return { path, root: rootOf(way[0]!), way: way.map((each) => this.#graph.paths[each]!) };
  }

  #garbage(path: StorePath): Garbage {
    const number = this.#graph.find(path);
    if (number === undefined) return { path, number, id: undefined, narSize: undefined };
    return { path, number, id: this.#graph.ids[number], narSize: this.#graph.narSizes[number] };
  }

  /** The full path. */
  print(path: StorePath): string {
    return printStorePath(this.#storeDir, path);
  }
}

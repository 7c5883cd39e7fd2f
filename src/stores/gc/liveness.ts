/**
 * What is alive: the closure of the roots over references, with `keep-derivations` over derivers, and with
 * `keep-outputs` over outputs. The rest is garbage.
 *
 * Source: Nix 2.35 manual, "keep-outputs", "keep-derivations"; libstore/gc.cc, LocalStore::collectGarbage. Nix asks of
 * each path whether a root reaches it; here all that roots reach is marked once.
 */
import type { Edges } from './edges.ts';
import type { ReferenceGraph } from './reference-graph.ts';

export interface Keep {
  readonly keepOutputs: boolean;
  readonly keepDerivations: boolean;
}

export class Liveness {
  readonly #forward: readonly Edges[];
  readonly #backward: readonly Edges[];
  readonly #referrers: Edges;
  readonly #alive: Uint8Array;

  constructor(graph: ReferenceGraph, { keepOutputs, keepDerivations }: Keep) {
    const { references, referrers, outputs, derivations, derivers, derived } = graph;
    this.#forward = [references, ...(keepOutputs ? [outputs] : []), ...(keepDerivations ? [derivers] : [])];
    this.#backward = [referrers, ...(keepOutputs ? [derivations] : []), ...(keepDerivations ? [derived] : [])];
    this.#referrers = referrers;
    this.#alive = new Uint8Array(graph.paths.length);
  }

  isAlive(path: number): boolean {
    return this.#alive[path] === 1;
  }

  /**
   * Marks a root, and all that it keeps alive.
   *
   * @returns those that were not alive before.
   */
  markAlive(root: number): readonly number[] {
    if (this.isAlive(root)) return [];
    this.#alive[root] = 1;
    const marked = [root];
    for (let index = 0; index < marked.length; index++) {
      for (const edges of this.#forward) {
        for (const next of edges.of(marked[index]!)) {
          if (this.isAlive(next)) continue;
          this.#alive[next] = 1;
          marked.push(next);
        }
      }
    }
    return marked;
  }

  /** What must be garbage as well where `paths` are: themselves, first; what refers to them; and so on. */
  backwardClosure(paths: Iterable<number>): Set<number> {
    const found = new Set(paths);
    for (const path of found) for (const edges of this.#backward) for (const next of edges.of(path)) found.add(next);
    return found;
  }

  /**
   * The shortest way that keeps a path alive.
   *
   * @returns from a path that `isRoot` says yes to, each by which the next is kept, to `path`; undefined where there is none.
   */
  wayTo(path: number, isRoot: (path: number) => boolean): readonly number[] | undefined {
    const keptFor = new Map<number, number | undefined>([[path, undefined]]);
    for (const [found] of keptFor) {
      if (isRoot(found)) {
        const way: number[] = [];
        for (let step: number | undefined = found; step !== undefined; step = keptFor.get(step)) way.push(step);
        return way;
      }
      for (const edges of this.#backward) {
        for (const next of edges.of(found)) if (!keptFor.has(next)) keptFor.set(next, found);
      }
    }
    return undefined;
  }

  /**
   * Brings garbage into an order in which it can go: what refers to others before them, and otherwise as given.
   *
   * @param paths - with all that refers to them.
   */
  referrersFirst(paths: Iterable<number>): number[] {
    const wanted = new Set(paths);
    const placed = new Set<number>();
    const order: number[] = [];
    const entered = new Set<number>();
    for (const start of wanted) {
      const stack = [start];
      while (stack.length > 0) {
        const path = stack.at(-1)!;
        if (!entered.has(path)) {
          entered.add(path);
          for (const next of this.#referrers.of(path)) if (wanted.has(next) && !entered.has(next)) stack.push(next);
          continue;
        }
        stack.pop();
        if (!placed.has(path)) order.push(path);
        placed.add(path);
      }
    }
    return order;
  }
}

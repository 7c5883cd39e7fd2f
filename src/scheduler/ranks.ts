/**
 * How many goals wait behind each goal, in the longest chain: the critical path. Of those who could go on, the one with
 * the longest chain behind it goes first, because that chain decides when all is done.
 *
 * A need that is added may change the rank of everything below it, so ranks are not kept up to date but counted anew
 * when somebody asks, in one pass over the graph: only once the graph has grown by a quarter, or after a pause of twenty
 * times what the last count took. So all counts together cost a constant factor of building the graph, or a twentieth of
 * the time.
 */

/** A node as far as its rank is concerned. */
export interface RankedNode<N> {
  /** Undefined until it has ended. */
  readonly result: unknown;
  readonly needs: ReadonlySet<N> | undefined;
  rank: number;
  /** While ranks are counted: how many that need it have not been looked at yet. */
  unseen: number;
}

const GROWTH = 0.25;
const PAUSE = 20;

export class Ranks<N extends RankedNode<N>> {
  readonly #now: () => number;
  #needs = 0;
  #counted = 0;
  #version = 0;
  #next = 0;

  /** @param now - milliseconds from any beginning. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** So many needs were added to the graph. */
  added(needs: number): void {
    this.#needs += needs;
  }

  /** Counts where that is due; another number than the last time says that ranks have changed. */
  refresh(nodes: Iterable<N>): number {
    const grown = this.#needs - this.#counted;
    if (grown === 0 || (grown < this.#counted * GROWTH && this.#now() < this.#next)) return this.#version;
    const started = this.#now();
    count([...nodes].filter(isLive));
    this.#counted = this.#needs;
    this.#version++;
    const ended = this.#now();
    this.#next = ended + PAUSE * (ended - started);
    return this.#version;
  }

  /** Begins anew with another graph. */
  clear(): void {
    this.#needs = this.#counted = this.#next = 0;
  }
}

/** Those that need nobody's turn come first; a circle, in which nobody does, keeps what it has. */
function count<N extends RankedNode<N>>(nodes: readonly N[]): void {
  for (const node of nodes) node.unseen = 0;
  for (const node of nodes) {
    for (const needed of node.needs ?? []) if (isLive(needed)) needed.unseen++;
  }
  const ready = nodes.filter(({ unseen }) => unseen === 0);
  for (const node of ready) node.rank = 0;
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    for (const needed of node.needs ?? []) {
      if (!isLive(needed)) continue;
      needed.rank = Math.max(needed.rank, node.rank + 1);
      needed.unseen--;
      if (needed.unseen === 0) ready.push(needed);
    }
  }
}

function isLive({ result }: { readonly result: unknown }): boolean {
  return result === undefined;
}

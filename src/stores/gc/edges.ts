/** Edges of a graph whose nodes are numbers, packed into two arrays: 4 bytes an edge and 4 a node. */

export class Edges {
  readonly #starts: Uint32Array;
  readonly #targets: Uint32Array;

  private constructor(starts: Uint32Array, targets: Uint32Array) {
    this.#starts = starts;
    this.#targets = targets;
  }

  /** Packs edges `from[i]` to `to[i]`, given in any order. */
  static pack(nodes: number, from: NumberList, to: NumberList): Edges {
    const starts = new Uint32Array(nodes + 1);
    for (let edge = 0; edge < from.length; edge++) starts[from.at(edge) + 1]!++;
    for (let node = 0; node < nodes; node++) starts[node + 1]! += starts[node]!;
    const next = starts.slice();
    const targets = new Uint32Array(from.length);
    for (let edge = 0; edge < from.length; edge++) targets[next[from.at(edge)]!++] = to.at(edge);
    return new Edges(starts, targets);
  }

  /** Where the edges of a node lead to. */
  of(node: number): Uint32Array {
    return this.#targets.subarray(this.#starts[node]!, this.#starts[node + 1]!);
  }
}

/** A list of whole numbers below 2³² that grows. */
export class NumberList {
  #numbers = new Uint32Array(1024);
  length = 0;

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const more = new Uint32Array(2 * this.length);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers[this.length++] = number;
  }

  at(index: number): number {
    return this.#numbers[index]!;
  }
}

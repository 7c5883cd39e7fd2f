/** Names of which the smallest is always taken next: the order in which Nix walks graphs. */

/** A binary heap; a name that was given once is not taken again. */
export class WorkList<Name extends string> {
  readonly #heap: Name[] = [];
  readonly #seen = new Set<Name>();

  constructor(names: Iterable<Name>) {
    for (const name of names) this.add(name);
  }

  add(name: Name): void {
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    const heap = this.#heap;
    let index = heap.push(name) - 1;
    for (let parent = (index - 1) >> 1; index > 0 && name < heap[parent]!; parent = (index - 1) >> 1) {
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = name;
  }

  /** Names may be added meanwhile. */
  *[Symbol.iterator](): Generator<Name> {
    for (let name = this.#take(); name !== undefined; name = this.#take()) yield name;
  }

  #take(): Name | undefined {
    const heap = this.#heap;
    const smallest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (child >= heap.length || last <= heap[child]!) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return smallest;
  }
}

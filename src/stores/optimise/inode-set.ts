/** A set of inode numbers that threads can share: sorted, in shared memory. */

export class InodeSet {
  readonly #sorted: Float64Array;

  /** @param memory - what {@link makeInodeSet} made. */
  constructor(memory: SharedArrayBuffer) {
    this.#sorted = new Float64Array(memory);
  }

  has(inode: number): boolean {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < inode) low = middle + 1;
      else high = middle;
    }
    return this.#sorted[low] === inode;
  }
}

/** The memory of a set. */
export function makeInodeSet(inodes: readonly number[]): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(inodes.length * Float64Array.BYTES_PER_ELEMENT);
  const sorted = new Float64Array(memory);
  sorted.set(inodes);
  sorted.sort();
  return memory;
}

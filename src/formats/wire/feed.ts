/** Drives a reading from chunks of any size. */
import { type Reading, wireError } from './read.ts';

/** In bytes, of all that one reading takes: what a list of all paths of a very large store would be. */
const MAX_READING_LENGTH = 256 * 1024 * 1024;

/** Bytes that have come and are not read yet. */
export class WireInput {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** @param chunk - is kept, and must not change any more. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next `count` bytes; undefined where there are not so many yet. */
  take(count: number): Uint8Array | undefined {
    if (count > this.#length) return undefined;
    this.#length -= count;
    const first = this.#chunks[0];
    if (first === undefined || count <= first.length) return this.#split(count);
    const joined = new Uint8Array(count);
    for (let filled = 0; filled < count; ) {
      const piece = this.#split(Math.min(count - filled, this.#chunks[0]!.length));
      joined.set(piece, filled);
      filled += piece.length;
    }
    return joined;
  }

  /** The next chunk, as it came; undefined where there is none. */
  takeChunk(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    this.#length -= chunk?.length ?? 0;
    return chunk;
  }

  /** Puts bytes back that were taken, in front of all others. */
  putBack(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.#length += chunk.length;
  }

  #split(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first === undefined || count === 0) return new Uint8Array(0);
    if (count === first.length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    return first.subarray(0, count);
  }
}

/** A reading under way. */
export class Feeding<T> {
  readonly #reading: Reading<T>;
  readonly #input: WireInput;
  readonly #limit: number;
  #step: IteratorResult<number, T>;
  /** Bytes that have been read. */
  #length = 0;

  /**
   * @param limit - in bytes, of all that is read.
   * @throws what the reading throws.
   */
  constructor(reading: Reading<T>, input: WireInput, limit: number = MAX_READING_LENGTH) {
    this.#reading = reading;
    this.#input = input;
    this.#limit = limit;
    this.#step = reading.next();
  }

  /**
   * Goes on as far as the input reaches.
   *
   * @returns what was read, or undefined where more has to come.
   * @throws what the reading throws, and {@link FormatError} where it wants more than the limit.
   */
  advance(): { readonly value: T } | undefined {
    while (!this.#step.done) {
      if (this.#length + this.#step.value > this.#limit) throw wireError(`an answer of more than ${this.#limit} bytes`);
      const bytes = this.#input.take(this.#step.value);
      if (bytes === undefined) return undefined;
      this.#length += bytes.length;
      this.#step = this.#reading.next(bytes);
    }
    return { value: this.#step.value };
  }
}

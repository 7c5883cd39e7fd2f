/**
 * The one loop that all codecs share: bytes in, an {@link Engine} that works on memory, and chunks out of a buffer
 * that is used again and again, with no stream, no promise and no allocation on the way.
 */
import { FormatError } from '../../errors.ts';
import type { Sink } from '../store.ts';

/**
 * Compresses or decompresses what is pushed, into the sink it was opened with. The sink must not keep chunks.
 * Where a call returns a promise, the next one must wait for it. Disposing releases everything early; after
 * `finish`, or an error, there is nothing left to release.
 */
export interface Codec extends Disposable {
  /**
   * @throws {FormatError} on input that is not what the compression makes, or has something after its end.
   *   Errors of the sink pass as they are. The codec is of no use after either.
   */
  push(chunk: Uint8Array): void | Promise<void>;
  /**
   * Says that nothing follows, and hands out what is left.
   *
   * @throws {FormatError} on input that ends early.
   */
  finish(): void | Promise<void>;
}

/** A compression library, seen as zlib has it: from memory to memory, as far as both reach. */
export interface Engine {
  /** Bytes of input that the last step took. */
  consumed: number;
  /** Bytes of output that the last step wrote. */
  produced: number;
  /** Whether a step with `last` has written the last byte. */
  ended: boolean;

  /**
   * Works until the input is used up or the output is full.
   *
   * @param last - that nothing follows; `input` is empty then.
   * @returns what is wrong with the input, if anything.
   */
  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined;

  /** Frees the memory of the library; called once. */
  close(): void;
}

const NOTHING = new Uint8Array(0);
const OUTPUT_SIZE = 128 * 1024;
const MAX_SPARE = 16;

/** Buffers that wait for their next codec: fresh ones would cost a page fault every 4 KiB, for every path. */
const spare: Uint8Array[] = [];

/** A codec around an engine. It returns promises only where the sink does. */
export class EngineCodec implements Codec {
  readonly #engine: Engine;
  readonly #sink: Sink;
  readonly #what: string;
  readonly #output: Uint8Array;
  #offset = 0;
  #open = true;
  /** Whether the sink holds the buffer: it must not go to another codec then. */
  #lent = false;

  /** @param what - names the input in errors, as in `invalid WHAT at byte 0`. */
  constructor(engine: Engine, sink: Sink, what: string) {
    this.#engine = engine;
    this.#sink = sink;
    this.#what = what;
    this.#output = spare.pop() ?? new Uint8Array(OUTPUT_SIZE);
  }

  push(chunk: Uint8Array): void | Promise<void> {
    if (chunk.length > 0) return this.#run(chunk, 0);
  }

  finish(): void | Promise<void> {
    const flushed = this.#run(undefined, 0);
    if (flushed instanceof Promise) return flushed.then(() => this[Symbol.dispose]());
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#engine.close();
    if (!this.#lent && spare.length < MAX_SPARE) spare.push(this.#output);
  }

  /** @param chunk - undefined when nothing follows. */
  #run(chunk: Uint8Array | undefined, start: number): void | Promise<void> {
    const engine = this.#engine;
    const input = chunk ?? NOTHING;
    for (let offset = start; ; ) {
      this.#step(input, offset, chunk === undefined);
      offset += engine.consumed;
      const full = engine.produced === OUTPUT_SIZE;
      const more = chunk === undefined ? !engine.ended : full || offset < input.length;
      const taken = engine.produced > 0 ? this.#sink(this.#output.subarray(0, engine.produced)) : undefined;
      if (taken instanceof Promise) {
        this.#lent = true;
        return taken.then(() => {
          this.#lent = false;
          if (more && this.#open) return this.#run(chunk, offset);
        });
      }
      if (!more) return;
    }
  }

  #step(input: Uint8Array, offset: number, last: boolean): void {
    if (!this.#open) throw new Error('unreachable: a codec is used after its end');
    const engine = this.#engine;
    let problem = engine.step(input, offset, this.#output, last);
    this.#offset += engine.consumed;
    const idle = engine.consumed === 0 && engine.produced === 0;
    if (problem === undefined && idle && offset < input.length) problem = 'bytes after the end';
    if (problem === undefined && idle && last && !engine.ended) problem = 'it ends early';
    if (problem === undefined) return;
    this[Symbol.dispose]();
    throw new FormatError(this.#what, this.#offset, problem);
  }
}

/**
 * bzip2 by the system's libbz2.
 *
 * Source: libbz2 1.0, bzlib.h.
 */

import { type Functions, loadLibrary, Pin } from '../native.ts';
import { AVAIL_IN, AVAIL_OUT, BZ_OK, BZ_STREAM_END, NEXT_IN, NEXT_OUT, STREAM_WORDS } from './bz-stream.ts';
import type { Engine } from './codec.ts';

const PROTOTYPES = {
  BZ2_bzDecompressInit: 'int BZ2_bzDecompressInit(void* stream, int verbosity, int small)',
  BZ2_bzDecompress: 'int BZ2_bzDecompress(void* stream)',
  BZ2_bzDecompressEnd: 'int BZ2_bzDecompressEnd(void* stream)',
} as const;
type Libbz2 = Functions<typeof PROTOTYPES>;

/** By the results that are errors. */
const PROBLEMS: Readonly<Record<number, string>> = {
  [-3]: 'no memory left',
  [-4]: 'corrupt data',
  [-5]: 'not the bzip2 format, or bytes after the end',
};

let library: { readonly bz2: Libbz2 | undefined } | undefined;

/** A decoder of one or more bzip2 streams; undefined where there is no libbz2. */
export function openBz2Decoder(): Engine | undefined {
  library ??= { bz2: loadLibrary('bz2', PROTOTYPES) };
  return library.bz2 && new Bz2Engine(library.bz2);
}

class Bz2Engine implements Engine {
  consumed = 0;
  produced = 0;
  ended = false;
  readonly #bz2: Libbz2;
  readonly #pointers = new BigUint64Array(STREAM_WORDS);
  readonly #counts = new Uint32Array(this.#pointers.buffer);
  readonly #input = new Pin();
  readonly #output = new Pin();
  /** Whether a stream has ended and no other has begun. */
  #between = false;

  constructor(bz2: Libbz2) {
    this.#bz2 = bz2;
    this.#begin();
  }

  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined {
    this.consumed = 0;
    this.produced = 0;
    this.ended = last;
    const left = input.length - offset;
    if (last) return this.#between ? undefined : 'it ends early';
    if (this.#between && left === 0) return undefined;
    if (this.#between) {
      this.close();
      this.#begin();
    }
    this.#pointers[NEXT_IN] = this.#input.hold(input) + BigInt(offset);
    this.#counts[AVAIL_IN] = left;
    this.#pointers[NEXT_OUT] = this.#output.hold(output);
    this.#counts[AVAIL_OUT] = output.length;
    const result = this.#bz2.BZ2_bzDecompress(this.#pointers);
    this.consumed = left - this.#counts[AVAIL_IN]!;
    this.produced = output.length - this.#counts[AVAIL_OUT]!;
    this.#between = result === BZ_STREAM_END;
    if (result === BZ_OK || this.#between) return undefined;
    return PROBLEMS[result] ?? `libbz2 failed with ${result}`;
  }

  close(): void {
    this.#bz2.BZ2_bzDecompressEnd(this.#pointers);
    this.#input.release();
    this.#output.release();
  }

  #begin(): void {
    this.#pointers.fill(0n);
    const result = this.#bz2.BZ2_bzDecompressInit(this.#pointers, 0, 0);
    if (result !== BZ_OK) throw new Error(`unreachable: libbz2 cannot start: ${result}`);
    this.#between = false;
  }
}

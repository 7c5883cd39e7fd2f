/**
 * Writing bzip2 by the system's libbz2.
 *
 * Source: libbz2 1.0, bzlib.h.
 */
import { type Functions, loadLibrary, Pin } from '../native.ts';
import { AVAIL_IN, AVAIL_OUT, BZ_OK, BZ_STREAM_END, NEXT_IN, NEXT_OUT, STREAM_WORDS } from './bz-stream.ts';
import type { Engine } from './codec.ts';

const PROTOTYPES = {
  BZ2_bzCompressInit: 'int BZ2_bzCompressInit(void* stream, int blocks, int verbosity, int work)',
  BZ2_bzCompress: 'int BZ2_bzCompress(void* stream, int action)',
  BZ2_bzCompressEnd: 'int BZ2_bzCompressEnd(void* stream)',
} as const;
type Libbz2 = Functions<typeof PROTOTYPES>;

const [BZ_RUN, BZ_FINISH] = [0, 2];
/** What a call answers that had nothing to do. */
const BZ_PARAM_ERROR = -2;

let library: { readonly bz2: Libbz2 | undefined } | undefined;

/**
 * Opens an encoder; undefined where there is no libbz2.
 *
 * @param level - 1 to 9: the size of a block in 100,000 bytes. One block is compressed in one call.
 */
export function openBz2Encoder(level: number): Engine | undefined {
  library ??= { bz2: loadLibrary('bz2', PROTOTYPES) };
  return library.bz2 && new Bz2Encoder(library.bz2, level);
}

class Bz2Encoder implements Engine {
  consumed = 0;
  produced = 0;
  ended = false;
  readonly #bz2: Libbz2;
  readonly #pointers = new BigUint64Array(STREAM_WORDS);
  readonly #counts = new Uint32Array(this.#pointers.buffer);
  readonly #input = new Pin();
  readonly #output = new Pin();

  constructor(bz2: Libbz2, level: number) {
    this.#bz2 = bz2;
    const result = bz2.BZ2_bzCompressInit(this.#pointers, level, 0, 0);
    if (result !== BZ_OK) throw new Error(`unreachable: libbz2 cannot start: ${result}`);
  }

  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined {
    const left = input.length - offset;
    this.#pointers[NEXT_IN] = left === 0 ? 0n : this.#input.hold(input) + BigInt(offset);
    this.#counts[AVAIL_IN] = left;
    this.#pointers[NEXT_OUT] = this.#output.hold(output);
    this.#counts[AVAIL_OUT] = output.length;
    const result = this.#bz2.BZ2_bzCompress(this.#pointers, last ? BZ_FINISH : BZ_RUN);
    this.consumed = left - this.#counts[AVAIL_IN]!;
    this.produced = output.length - this.#counts[AVAIL_OUT]!;
    this.ended = result === BZ_STREAM_END;
    if (result > BZ_OK || (result === BZ_PARAM_ERROR && left === 0)) return undefined;
    return `libbz2 failed with ${result}`;
  }

  close(): void {
    this.#bz2.BZ2_bzCompressEnd(this.#pointers);
    this.#input.release();
    this.#output.release();
  }
}

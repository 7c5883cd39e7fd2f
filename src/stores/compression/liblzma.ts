/**
 * xz by the system's liblzma.
 *
 * Source: liblzma 5.2 to 5.8, lzma/base.h, lzma/container.h.
 */

import { type Functions, loadLibrary, Pin } from '../native.ts';
import type { Engine } from './codec.ts';

const PROTOTYPES = {
  lzma_stream_decoder: 'int lzma_stream_decoder(void* stream, uint64_t memlimit, uint32_t flags)',
  lzma_easy_encoder: 'int lzma_easy_encoder(void* stream, uint32_t preset, int check)',
  lzma_code: 'int lzma_code(void* stream, int action)',
  lzma_end: 'void lzma_end(void* stream)',
} as const;
type Liblzma = Functions<typeof PROTOTYPES>;

/** `lzma_stream`: 136 bytes; here in words of 8. The rest is of the library's own. */
const STREAM_WORDS = 17;
const NEXT_IN = 0;
const AVAIL_IN = 1;
const NEXT_OUT = 3;
const AVAIL_OUT = 4;

const LZMA_CONCATENATED = 8;
const LZMA_CHECK_CRC64 = 4;
const LZMA_RUN = 0;
const LZMA_FINISH = 3;

const LZMA_OK = 0;
const LZMA_STREAM_END = 1;
const LZMA_BUF_ERROR = 10;
/** By `lzma_ret`. */
const PROBLEMS: Readonly<Record<number, string>> = {
  5: 'no memory left',
  6: 'it takes more memory than the limit',
  7: 'not the xz format, or bytes after the end',
  8: 'options that are not supported',
  9: 'corrupt data',
  [LZMA_BUF_ERROR]: 'it ends early',
};

/** Of one decoder: enough for dictionaries of 128 MiB, twice what `xz -9` makes. */
const MEMORY_LIMIT = 136n * 1024n * 1024n;

let library: { readonly lzma: Liblzma | undefined } | undefined;

function loadLiblzma(): Liblzma | undefined {
  library ??= { lzma: loadLibrary('lzma', PROTOTYPES) };
  return library.lzma;
}

/** Whether this machine has a liblzma. */
export function hasLiblzma(): boolean {
  return loadLiblzma() !== undefined;
}

/** A decoder of one or more xz streams; undefined where there is no liblzma. */
export function openLzmaDecoder(): Engine | undefined {
  const lzma = loadLiblzma();
  return lzma && new LzmaEngine(lzma, (stream) => lzma.lzma_stream_decoder(stream, MEMORY_LIMIT, LZMA_CONCATENATED));
}

/** @param level - 0 to 9. */
export function openLzmaEncoder(level = 6): Engine | undefined {
  const lzma = loadLiblzma();
  return lzma && new LzmaEngine(lzma, (stream) => lzma.lzma_easy_encoder(stream, level, LZMA_CHECK_CRC64));
}

class LzmaEngine implements Engine {
  consumed = 0;
  produced = 0;
  ended = false;
  readonly #lzma: Liblzma;
  /** All zeros is LZMA_STREAM_INIT. */
  readonly #stream = new BigUint64Array(STREAM_WORDS);
  readonly #input = new Pin();
  readonly #output = new Pin();

  constructor(lzma: Liblzma, init: (stream: BigUint64Array) => number) {
    this.#lzma = lzma;
    const result = init(this.#stream);
    if (result !== LZMA_OK) throw new Error(`unreachable: liblzma cannot start: ${PROBLEMS[result] ?? result}`);
  }

  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined {
    const stream = this.#stream;
    stream[NEXT_IN] = this.#input.hold(input) + BigInt(offset);
    stream[AVAIL_IN] = BigInt(input.length - offset);
    stream[NEXT_OUT] = this.#output.hold(output);
    stream[AVAIL_OUT] = BigInt(output.length);
    const result = this.#lzma.lzma_code(stream, last ? LZMA_FINISH : LZMA_RUN);
    this.consumed = input.length - offset - Number(stream[AVAIL_IN]);
    this.produced = output.length - Number(stream[AVAIL_OUT]);
    this.ended = result === LZMA_STREAM_END;
    // Without input it only says that there is nothing to do.
    const fine = result === LZMA_OK || this.ended || (result === LZMA_BUF_ERROR && !last);
    return fine ? undefined : (PROBLEMS[result] ?? `liblzma failed with ${result}`);
  }

  close(): void {
    this.#lzma.lzma_end(this.#stream);
    this.#input.release();
    this.#output.release();
  }
}

/**
 * gzip, brotli and zstd by the libraries that are part of Node.
 *
 * The streams of node:zlib hop to the libuv pool for every chunk and allocate what they return; its one-shot calls want
 * the whole input at once; both, and minizlib on top of them, drop all but the first of the frames of a zstd file.
 * Underneath is the very interface of {@link Engine}: `writeSync` and two counters. It is not public, but it is what
 * minizlib, and so tar and npm, have built on for years; where it is missing, opening says so.
 */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { InternalError } from '../../errors.ts';
import type { Engine } from './codec.ts';

/** What a stream of node:zlib has inside. */
interface Internals {
  readonly _handle: Handle;
  /** After a call: bytes left of the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
}

interface Handle {
  /** Called on an error, before `writeSync` returns. */
  onerror: (message: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  /** Makes it as new, for the next input. */
  reset(): void;
  close(): void;
}

interface Format {
  readonly decoder: () => Transform;
  readonly encoder: (level: number | undefined) => Transform;
  /** Operations of the library: go on, and end. */
  readonly flush: readonly [process: number, finish: number];
}

export type NodeFormat = 'gzip' | 'br' | 'zstd';

const { constants } = zlib;
/** Of the stream's own output buffer, which is not used here. */
const chunkSize = 64;
/** 128 MiB, the largest window that zstd decodes unless asked to: what `zstd --ultra -22` and `--long` make. */
const ZSTD_WINDOW_LOG_MAX = 27;

/** By the names that narinfo files and Content-Encoding have for them. */
const FORMATS: Readonly<Record<NodeFormat, Format>> = {
  gzip: {
    decoder: () => zlib.createGunzip({ chunkSize }),
    encoder: (level) => zlib.createGzip({ chunkSize, ...(level !== undefined && { level }) }),
    flush: [constants.Z_NO_FLUSH, constants.Z_FINISH],
  },
  br: {
    decoder: () => zlib.createBrotliDecompress({ chunkSize }),
    encoder: (level) =>
      zlib.createBrotliCompress({
        chunkSize,
        params: level === undefined ? {} : { [constants.BROTLI_PARAM_QUALITY]: level },
      }),
    flush: [constants.BROTLI_OPERATION_PROCESS, constants.BROTLI_OPERATION_FINISH],
  },
  zstd: {
    decoder: () =>
      zlib.createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } }),
    encoder: (level) =>
      zlib.createZstdCompress({
        chunkSize,
        params: level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level },
      }),
    flush: [constants.ZSTD_e_continue, constants.ZSTD_e_end],
  },
};

/** Of zstd: making one takes longer than decoding a small NAR. */
const spareDecoders: Internals[] = [];
const MAX_SPARE = 8;
/** A decoder keeps the memory that its largest window took; one that made more than this is not kept. */
const MAX_SPARE_OUTPUT = 1024 * 1024;

export function openNodeDecoder(format: NodeFormat): Engine {
  const { decoder, flush } = FORMATS[format];
  if (format !== 'zstd') return new NodeEngine(internalsOf(decoder()), flush);
  return new NodeEngine(spareDecoders.pop() ?? internalsOf(decoder()), flush, keepDecoder);
}

function keepDecoder(used: Internals, output: number): boolean {
  if (output > MAX_SPARE_OUTPUT || spareDecoders.length >= MAX_SPARE) return false;
  noticesCut ??= findOutNoticesCut();
  // At the end of a frame it is as new, and Node's reset makes another one.
  if (!noticesCut) used._handle.reset();
  spareDecoders.push(used);
  return true;
}

/** Whether zstd that ends without an error is at the end of a frame: older releases of Node 24 are silent elsewhere, too. */
let noticesCut: boolean | undefined;
const CUT_FRAME = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

function findOutNoticesCut(): boolean {
  const { decoder, flush } = FORMATS.zstd;
  const engine = new NodeEngine(internalsOf(decoder()), flush);
  const output = new Uint8Array(1);
  engine.step(CUT_FRAME, 0, output, false);
  const problem = engine.step(CUT_FRAME, CUT_FRAME.length, output, true);
  engine.close();
  return problem !== undefined;
}

/** @param level - as the library counts them; undefined for its default. */
export function openNodeEncoder(format: NodeFormat, level: number | undefined): Engine {
  return new NodeEngine(internalsOf(FORMATS[format].encoder(level)), FORMATS[format].flush);
}

/** Takes over what an engine worked with, after so many bytes of output; false where it is of no further use. */
type Keep = (used: Internals, output: number) => boolean;

class NodeEngine implements Engine {
  consumed = 0;
  produced = 0;
  ended = false;
  readonly #internals: Internals;
  readonly #flush: Format['flush'];
  readonly #keep: Keep | undefined;
  #input = 0;
  #output = 0;
  #problem: string | undefined;

  constructor(internals: Internals, flush: Format['flush'], keep?: Keep) {
    this.#internals = internals;
    this.#flush = flush;
    this.#keep = keep;
    internals._handle.onerror = (message) => {
      this.#problem = message;
    };
  }

  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined {
    const left = input.length - offset;
    if (last && this.#input === 0 && this.#keep !== undefined) return 'it is empty'; // one used before sees no fault in it
    const { _handle: handle, _writeState: state } = this.#internals;
    handle.writeSync(this.#flush[last ? 1 : 0], input, offset, left, output, 0, output.length);
    const [outputLeft, inputLeft] = state as unknown as [number, number]; // its length is 2, always
    this.consumed = left - inputLeft;
    this.produced = output.length - outputLeft;
    this.#input += this.consumed;
    this.#output += this.produced;
    this.ended = last && outputLeft > 0;
    return this.#problem;
  }

  close(): void {
    const healthy = this.ended && this.#problem === undefined;
    if (healthy && this.#keep?.(this.#internals, this.#output)) return;
    this.#internals._handle.close();
  }
}

/** @throws {InternalError} where this Node's streams have something else inside. */
function internalsOf(stream: object): Internals {
  const { _handle: handle, _writeState: state } = stream as Partial<Internals>;
  const fine = typeof handle?.writeSync === 'function' && state instanceof Uint32Array && state.length === 2;
  if (!fine) throw new InternalError(`node:zlib of Node ${process.versions.node} does not work as expected`);
  return stream as Internals;
}

/**
 * The compressions of binary caches, by Nix's names for them.
 *
 * Source: Nix 2.35 libutil/compression.cc. Those of Nix that are left out (lzip, lz4, …) no known cache has.
 */
import { FormatError, UsageError } from '../errors.ts';
import { Bzip2Engine } from './compression/bzip2.ts';
import { type Codec, EngineCodec } from './compression/codec.ts';
import { openBz2Decoder } from './compression/libbz2.ts';
import { openLzmaDecoder, openLzmaEncoder } from './compression/liblzma.ts';
import { openNodeDecoder, openNodeEncoder } from './compression/node-zlib.ts';
import { openNpmLzmaDecoder, openNpmLzmaEncoder } from './compression/npm-lzma.ts';
import type { Sink } from './store.ts';

export type { Codec };

/** What can be decoded. */
export const COMPRESSIONS = ['none', 'xz', 'bzip2', 'gzip', 'zstd', 'br'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What can be encoded. */
type Encoding = Exclude<Compression, 'bzip2'>;

/** The levels of what can be encoded. */
const LEVELS: Readonly<Record<Encoding, readonly [lowest: number, highest: number]>> = {
  none: [0, 0],
  xz: [0, 9],
  gzip: [0, 9],
  zstd: [1, 22],
  br: [0, 11],
};

export interface DecoderOptions {
  /** Names the input in errors, as in `invalid WHAT at byte 17: …`; the name of the compression where it is missing. */
  readonly what?: string | undefined;
  /** Whether libraries of the system may be used, where there are any. True where it is missing. */
  readonly native?: boolean | undefined;
}

export interface EncoderOptions {
  /** 0 to 9 for xz and gzip, 1 to 22 for zstd, 0 to 11 for br; the library's default where it is missing. */
  readonly level?: number | undefined;
  /** As for {@link DecoderOptions}. */
  readonly native?: boolean | undefined;
}

/** Whether `name` is one of {@link COMPRESSIONS}. */
export function isCompression(name: string): name is Compression {
  return (COMPRESSIONS as readonly string[]).includes(name);
}

/**
 * Opens a decoder that pours into `sink`: chunks of at most 128 KiB, which it must not keep. Files of several streams
 * or frames one after another are one file.
 *
 * @param compression - the name, as a narinfo has it.
 * @throws {FormatError} on a compression that is not known.
 */
export function openDecoder(compression: string, sink: Sink, options: DecoderOptions = {}): Codec {
  const { what = compression, native = true } = options;
  switch (compression) {
    case 'none':
      return new PassThrough(sink);
    case 'gzip':
    case 'zstd':
    case 'br':
      return new EngineCodec(openNodeDecoder(compression), sink, what);
    case 'xz': {
      const engine = native ? openLzmaDecoder() : undefined;
      return engine === undefined ? openNpmLzmaDecoder(sink, what) : new EngineCodec(engine, sink, what);
    }
    case 'bzip2': {
      const engine = native ? openBz2Decoder() : undefined;
      return new EngineCodec(engine ?? new Bzip2Engine(), sink, what);
    }
    default:
      throw new FormatError(what, 0, `unknown compression '${compression}'`, {
        hint: `known: ${COMPRESSIONS.join(', ')}`,
      });
  }
}

/**
 * Opens an encoder that pours into `sink`, as {@link openDecoder} does.
 *
 * @throws {UsageError} on a compression that cannot be written, or a level that it does not have.
 */
export function openEncoder(compression: string, sink: Sink, options: EncoderOptions = {}): Codec {
  const { level, native = true } = options;
  checkEncoding(compression, level);
  switch (compression) {
    case 'none':
      return new PassThrough(sink);
    case 'xz': {
      const engine = native ? openLzmaEncoder(level) : undefined;
      return engine === undefined ? openNpmLzmaEncoder(sink, level) : new EngineCodec(engine, sink, 'input');
    }
    default:
      return new EngineCodec(openNodeEncoder(compression, level), sink, 'input');
  }
}

/**
 * Accepts what {@link openEncoder} accepts.
 *
 * @throws {UsageError} as it does.
 */
export function checkEncoding(compression: string, level: number | undefined): asserts compression is Encoding {
  if (!Object.hasOwn(LEVELS, compression)) {
    throw new UsageError(`cannot compress with '${compression}'`, { hint: `known: ${Object.keys(LEVELS).join(', ')}` });
  }
  const [lowest, highest] = LEVELS[compression as Encoding];
  if (level !== undefined && !(Number.isInteger(level) && level >= lowest && level <= highest)) {
    throw new UsageError(`compression '${compression}' has no level ${level}`, {
      hint: lowest === highest ? 'leave the level out' : `levels are ${lowest} to ${highest}`,
    });
  }
}

/** No compression at all. */
class PassThrough implements Codec {
  readonly push: Sink;

  constructor(sink: Sink) {
    this.push = sink;
  }
  finish(): void {}
  [Symbol.dispose](): void {}
}

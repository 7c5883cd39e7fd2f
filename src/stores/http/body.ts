/** What becomes of the bodies of a request's attempts: see also resumable-body.ts. */
import { type SluiceError, TransferError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { type Codec, type Compression, isCompression, openDecoder } from '../compression.ts';
import type { Sink } from '../store.ts';
import type { HttpHead } from './exchange.ts';
import { showUrl } from './failure.ts';

/** Takes what comes of one file, in one attempt or in several. */
export interface HttpBody {
  /** What the next attempt says of what it wants, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether nothing is missing, however the last response ended. */
  readonly isWhole: boolean;
  /**
   * Opens what takes the body of a response.
   *
   * @returns undefined where it is not wanted.
   * @throws what makes further attempts pointless.
   */
  open(url: URL, head: HttpHead): Codec | undefined;

  /** Says what is wrong with a response that came to its end, where its status does not say it. */
  problem(url: URL, head: HttpHead): SluiceError | undefined;
}

/** A file that is kept in memory, up to a size. Every attempt gets all of it. */
export class SmallBody implements HttpBody {
  readonly headers: HttpBody['headers'] = { 'accept-encoding': 'zstd, br, gzip' };
  readonly isWhole = false;
  readonly #maxSize: number;
  readonly #tooLarge: () => Error;
  #chunks: Uint8Array[] = [];
  #size = 0;

  /** @param maxSize - in bytes, of what is decoded; `tooLarge` makes the error for more. */
  constructor(maxSize: number, tooLarge: () => Error) {
    this.#maxSize = maxSize;
    this.#tooLarge = tooLarge;
  }

  get contents(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  problem(): undefined {}

  open(url: URL, { status, headers }: HttpHead): Codec | undefined {
    this.#chunks = [];
    this.#size = 0;
    if (status !== 200) return undefined;
    const encoding = contentEncoding(url, headers);
    if (encoding === 'none' && Number(headers['content-length'] ?? 0) > this.#maxSize) throw this.#tooLarge();
    return openEncoded(url, encoding, (chunk) => {
      this.#size += chunk.length;
      if (this.#size > this.#maxSize) {
        this.#chunks = [];
        throw this.#tooLarge();
      }
      this.#chunks.push(Buffer.from(chunk));
    });
  }
}

/**
 * The Content-Encoding: with some hosts every file has one, asked for or not.
 *
 * @throws {TransferError} on one that cannot be undone.
 */
export function contentEncoding(url: URL, headers: HttpHead['headers']): Compression {
  const encoding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
  const compression = encoding === 'identity' ? 'none' : encoding.replace(/^x-/, '');
  if (isCompression(compression)) return compression;
  throw new TransferError(`${showUrl(url)} has the unknown encoding ${quote(encoding)}`);
}

/** Opens a decoder for a body with that Content-Encoding. */
export function openEncoded(url: URL, encoding: Compression, sink: Sink): Codec {
  return encoding === 'none'
    ? openDecoder(encoding, sink) // which cannot fail, and needs no words for it
    : openDecoder(encoding, sink, { what: `${encoding} encoding of ${showUrl(url)}` });
}

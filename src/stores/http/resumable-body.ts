/**
 * What takes the bodies of a request's attempts, and makes one file of them. Where an attempt broke off, the next one
 * asks for the rest; a server that sends all of it again is listened to until the new part begins. Whoever takes the
 * file sees it once, from its offset on.
 *
 * Source: RFC 9110, 13 and 14; Nix 2.35 libstore/filetransfer.cc, which does so where Accept-Ranges says so.
 */
import { HashMismatchError, type SluiceError, TransferError } from '../../errors.ts';
import { type Codec, openDecoder } from '../compression.ts';
import type { Sink } from '../store.ts';
import { contentEncoding, type HttpBody, openEncoded } from './body.ts';
import type { HttpHead } from './exchange.ts';
import { showUrl } from './failure.ts';

type Headers = HttpHead['headers'];

/** A file that may come in several parts. */
export class ResumableBody implements HttpBody {
  /** Up to where the file has been handed on, in bytes from its beginning. */
  position: number;
  readonly #sink: Sink;
  /** Of the whole file, where it is known. */
  #size: number | undefined;
  /** Up to where it is wanted, where that is not its end. */
  readonly #end: number | undefined;
  /** Names the version of the file that has come so far. */
  #validator: string | undefined;
  #mayAskForRest = true;
  /** How much of the response at hand is still to be passed over. */
  #skipped = 0;
  #refused: TransferError | undefined;

  /**
   * @param offset - so many bytes at the beginning are there already.
   * @param length - so many bytes from there on are wanted; the rest of the file, where it is missing.
   */
  constructor(sink: Sink, offset = 0, size?: number, length?: number) {
    this.#sink = sink;
    this.position = offset;
    this.#size = size;
    this.#end = length === undefined ? undefined : offset + length;
  }

  /** Whether all of the file, and any, has been handed on; where its size is not known, the end of a response has to tell. */
  get isWhole(): boolean {
    return this.position > 0 && this.position === (this.#end ?? this.#size);
  }

  get headers(): Record<string, string> {
    const plain = { 'accept-encoding': 'identity' }; // ranges are those of what is sent
    if (!this.#asksForRest) return plain;
    const range = { ...plain, range: `bytes=${this.position}-${this.#end === undefined ? '' : this.#end - 1}` };
    return this.#validator === undefined ? range : { ...range, 'if-range': this.#validator };
  }

  problem(url: URL, { status }: HttpHead): SluiceError | undefined {
    if (this.#refused !== undefined || (status !== 200 && status !== 206)) return this.#refused;
    if (this.#skipped > 0) return shorter(url, this.position - this.#skipped, this.position);
    if (this.#size === undefined || this.position >= this.#size) return undefined;
    const problem = `${showUrl(url)} ended after ${this.position} of ${this.#size} bytes`;
    return new TransferError(problem, { transient: true });
  }

  /**
   * As {@link HttpBody.open} says.
   *
   * @throws {HashMismatchError} where the file has another size than the one expected, or ends before what has come.
   * @throws {TransferError} on an encoding that is not known.
   */
  open(url: URL, head: HttpHead): Codec | undefined {
    this.#refused = undefined;
    if (head.status === 200) return this.#openAll(url, head);
    if (!this.#asksForRest) return undefined;
    if (head.status === 416) this.#checkEnd(url, head.headers);
    return head.status === 206 ? this.#openRest(url, head) : undefined;
  }

  get #asksForRest(): boolean {
    return (this.position > 0 || this.#end !== undefined) && this.#mayAskForRest;
  }

  #openAll(url: URL, { headers }: HttpHead): Codec {
    if (this.#end !== undefined) throw new TransferError(`${showUrl(url)} is not served in parts`);
    const encoding = contentEncoding(url, headers);
    if (encoding === 'none') {
      this.#expectSize(url, wholeNumber(headers['content-length']));
      this.#validator = validatorOf(headers);
    } else this.#mayAskForRest = false;
    this.#skipped = this.position;
    const skip: Sink = (chunk) => {
      if (this.#skipped === 0) return this.#take(chunk);
      const start = Math.min(this.#skipped, chunk.length);
      this.#skipped -= start;
      if (start < chunk.length) return this.#take(chunk.subarray(start));
    };
    return openEncoded(url, encoding, skip);
  }

  #openRest(url: URL, { headers }: HttpHead): Codec | undefined {
    const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/i.exec(String(headers['content-range'] ?? ''));
    const plain = contentEncoding(url, headers) === 'none';
    if (range === null || !plain || Number(range[1]) !== this.position) {
      this.#refuse(`${showUrl(url)} answered with another part of the file than the one from byte ${this.position} on`);
      return undefined;
    }
    this.#expectSize(url, wholeNumber(range[2]));
    this.#validator ??= validatorOf(headers);
    return openDecoder('none', (chunk) => this.#take(chunk));
  }

  /** Nothing follows, says the server: that is the end of a file whose size was not known. */
  #checkEnd(url: URL, headers: Headers): void {
    const size = wholeNumber(/^bytes \*\/(\d+)$/i.exec(String(headers['content-range'] ?? ''))?.[1]);
    this.#expectSize(url, size);
    if (size === undefined) this.#refuse(`${showUrl(url)} has no part from byte ${this.position} on`);
  }

  #take(chunk: Uint8Array): void | Promise<void> {
    this.position += chunk.length;
    return this.#sink(chunk);
  }

  /** The next attempt is to ask for the whole file. */
  #refuse(message: string): void {
    this.#mayAskForRest = false;
    this.#refused = new TransferError(message, { transient: true });
  }

  #expectSize(url: URL, size: number | undefined): void {
    if (size === undefined) return;
    this.#size ??= size;
    const [wanted, got] = [this.#size, size].map((bytes) => `${bytes} bytes`);
    if (wanted !== got) throw new HashMismatchError(`size of ${showUrl(url)}`, wanted!, got!);
    if (size < this.position) throw shorter(url, size, this.position);
  }
}

/** What If-Range may say: a weak ETag would not do. */
function validatorOf({ etag, 'last-modified': lastModified }: Headers): string | undefined {
  const validator = typeof etag === 'string' && !etag.startsWith('W/') ? etag : lastModified;
  return typeof validator === 'string' ? validator : undefined;
}

function wholeNumber(text: string | string[] | undefined): number | undefined {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function shorter(url: URL, size: number, position: number): HashMismatchError {
  return new HashMismatchError(`size of ${showUrl(url)}`, `at least ${position} bytes`, `${size} bytes`);
}

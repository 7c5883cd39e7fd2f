/**
 * Framed data, for contents whose end the reader could not tell otherwise: frames of a number, their length, and as many
 * bytes without padding; one of length zero is the end.
 *
 * Source: Nix 2.35 libutil/serialise.hh, FramedSink and FramedSource.
 */
import { FormatError } from '../../errors.ts';

/** In bytes, of the contents. What comes in smaller pieces is joined up to this. */
export const FRAME_SIZE: number = 64 * 1024;
/** In bytes: nobody sends more at once, and nothing is kept of a frame in any case. */
const MAX_FRAME_LENGTH = 2 ** 32;
const HEADER = 8;

/** The frame that ends the data. */
export const LAST_FRAME: Uint8Array = Buffer.alloc(HEADER);

/** Makes frames of chunks of any size. */
export class FrameWriter {
  readonly #write: (frame: Uint8Array) => void | Promise<void>;
  #frame = Buffer.allocUnsafeSlow(HEADER + FRAME_SIZE);
  #filled = 0;

  /** @param write - takes frames, which are not touched any more. */
  constructor(write: (frame: Uint8Array) => void | Promise<void>) {
    this.#write = write;
  }

  /** @param chunk - is copied. @returns a promise where it has to be waited for before more is pushed. */
  push(chunk: Uint8Array): void | Promise<void> {
    const waits: Promise<void>[] = [];
    for (let start = 0; start < chunk.length; ) {
      if (this.#filled === FRAME_SIZE) {
        const taken = this.#flush();
        if (taken !== undefined) waits.push(taken);
      }
      const end = Math.min(chunk.length, start + FRAME_SIZE - this.#filled);
      this.#frame.set(chunk.subarray(start, end), HEADER + this.#filled);
      this.#filled += end - start;
      start = end;
    }
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => {});
  }

  /** Writes what is left, and the end. */
  async finish(): Promise<void> {
    if (this.#filled > 0) await this.#flush();
    await this.#write(LAST_FRAME);
  }

  #flush(): void | Promise<void> {
    const frame = this.#frame.subarray(0, HEADER + this.#filled);
    frame.writeBigUInt64LE(BigInt(this.#filled));
    this.#frame = Buffer.allocUnsafeSlow(HEADER + FRAME_SIZE);
    this.#filled = 0;
    return this.#write(frame);
  }
}

/** Takes framed data apart: an incremental push parser that keeps nothing of the contents. */
export class FrameParser {
  readonly #contents: (bytes: Uint8Array) => void;
  readonly #header = Buffer.alloc(HEADER);
  #headerLength = 0;
  #remaining = 0;
  #offset = 0;
  #ended = false;

  /** @param contents - hears the bytes, never none; they belong to the caller again on return. */
  constructor(contents: (bytes: Uint8Array) => void) {
    this.#contents = contents;
  }

  /** Whether the last frame has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * @returns how many bytes of the chunk belong to the data: not all only where it has ended.
   * @throws {FormatError} on a frame of an absurd length.
   */
  take(chunk: Uint8Array): number {
    let position = 0;
    while (position < chunk.length && !this.#ended) {
      if (this.#remaining > 0) {
        const end = Math.min(chunk.length, position + this.#remaining);
        this.#contents(chunk.subarray(position, end));
        this.#remaining -= end - position;
        position = end;
      } else {
        this.#header[this.#headerLength++] = chunk[position++]!;
        if (this.#headerLength === HEADER) this.#startFrame(this.#offset + position - HEADER);
      }
    }
    this.#offset += position;
    return position;
  }

  #startFrame(offset: number): void {
    const length = this.#header.readBigUInt64LE();
    if (length > MAX_FRAME_LENGTH) throw new FormatError('framed data', offset, `a frame of ${length} bytes`);
    this.#headerLength = 0;
    this.#remaining = Number(length);
    this.#ended = length === 0n;
  }
}

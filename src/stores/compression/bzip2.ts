/**
 * bzip2 in TypeScript, for machines without libbz2: decoding only, block by block, in a few MB of memory.
 *
 * Source: the format has no specification but libbz2 1.0, decompress.c; J. Tsai, "bzip2 file format" (2016).
 */

import { BitReader, EndOfInputError } from './bzip2-bits.ts';
import { type Bzip2Block, decodeBlock } from './bzip2-block.ts';
import type { Engine } from './codec.ts';

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
/** Bytes that the largest block may take: 900,000 symbols of 20 bits, and its tables. */
const MAX_BLOCK_INPUT = 2_500_000;

/** Decodes one or more bzip2 streams. It waits for a whole block of input before it decodes that block. */
export class Bzip2Engine implements Engine {
  consumed = 0;
  produced = 0;
  ended = false;
  readonly #bits = new BitReader(2 * MAX_BLOCK_INPUT);
  /** In units of 100,000 bytes; 0 between streams. */
  #level = 0;
  #streams = 0;
  #combinedCrc = 0;
  #block: Bzip2Block | undefined;

  step(input: Uint8Array, offset: number, output: Uint8Array, last: boolean): string | undefined {
    this.consumed = 0;
    this.produced = 0;
    try {
      while (this.produced < output.length) {
        if (this.#block !== undefined) {
          this.produced += this.#block.read(output, this.produced);
          if (!this.#block.done) return undefined;
          const problem = this.#endBlock(this.#block);
          if (problem !== undefined) return problem;
        }
        this.consumed += this.#bits.fill(input, offset + this.consumed);
        if (this.#bits.bytesLeft < MAX_BLOCK_INPUT && !last) return undefined;
        if (this.#level === 0 && this.#bits.bytesLeft === 0) {
          this.ended = this.#streams > 0;
          return undefined;
        }
        const problem = this.#level === 0 ? this.#beginStream() : this.#continueStream();
        if (problem !== undefined) return problem;
      }
      return undefined;
    } catch (error) {
      if (error instanceof EndOfInputError) return last ? 'it ends early' : 'corrupt data';
      throw error;
    }
  }

  close(): void {
    this.#block = undefined;
  }

  #beginStream(): string | undefined {
    const bits = this.#bits;
    const first = String.fromCharCode(bits.read(8), bits.read(8), bits.read(8));
    const level = bits.read(8) - 48;
    if (first !== 'BZh' || level < 1 || level > 9) return 'not the bzip2 format, or bytes after the end';
    this.#level = level;
    this.#combinedCrc = 0;
    return undefined;
  }

  #continueStream(): string | undefined {
    const bits = this.#bits;
    const magic = bits.read(24) * 2 ** 24 + bits.read(24);
    const crc = bits.read32();
    if (magic === BLOCK_MAGIC) {
      const block = decodeBlock(bits, this.#level * 100_000, crc);
      if (typeof block === 'string') return block;
      this.#block = block;
      return undefined;
    }
    if (magic !== END_MAGIC || crc !== this.#combinedCrc >>> 0) return 'corrupt data';
    bits.skipToByte();
    this.#level = 0;
    this.#streams++;
    return undefined;
  }

  #endBlock({ crc, wantedCrc }: Bzip2Block): string | undefined {
    this.#block = undefined;
    this.#combinedCrc = ((this.#combinedCrc << 1) | (this.#combinedCrc >>> 31)) ^ wantedCrc;
    return crc === wantedCrc ? undefined : 'corrupt data: checksum mismatch';
  }
}

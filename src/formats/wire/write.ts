/**
 * Writing what the Nix protocols are made of: see read.ts.
 *
 * Source: Nix 2.35 libutil/serialise.cc.
 */
import { padded } from '../nar.ts';

const ZEROS = Buffer.alloc(8);

/** One message in the making. */
export class WireWriter {
  readonly #pieces: Uint8Array[] = [];

  integer(value: number | bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.#pieces.push(bytes);
    return this;
  }

  boolean(value: boolean): this {
    return this.integer(value ? 1 : 0);
  }

  /** Text in UTF-8, or bytes. */
  string(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.integer(bytes.length);
    this.#pieces.push(bytes, ZEROS.subarray(0, padded(bytes.length) - bytes.length));
    return this;
  }

  strings(values: readonly string[]): this {
    return this.list(values, (value) => this.string(value));
  }

  /** @param write - writes one entry, to this writer. */
  list<T>(entries: readonly T[], write: (entry: T) => void): this {
    this.integer(entries.length);
    for (const entry of entries) write(entry);
    return this;
  }

  /** All that was written. */
  finish(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

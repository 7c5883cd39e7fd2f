/**
 * Replaces hash parts of store paths by others in bytes that come in chunks of any size: what was built under one path
 * becomes what it is under another.
 *
 * Source: Nix 2.35 libutil/references.cc, RewritingSink.
 */
import { NIX32_ALPHABET } from './nix32.ts';

const HASH_DIGITS = 32;
const IS_DIGIT = new Uint8Array(256);
for (const digit of NIX32_ALPHABET) IS_DIGIT[digit.charCodeAt(0)] = 1;

/** What is replaced is found from left to right, and what it is replaced by is not looked at again. */
export class HashRewriter {
  readonly #rewrites: ReadonlyMap<string, string>;
  /** The first four digits of each, as a number: most digits begin another hash part. */
  readonly #beginnings: ReadonlySet<number>;
  /** The last bytes before the next chunk: a hash part may begin in them. */
  #tail: Uint8Array = new Uint8Array(0);

  /**
   * @param rewrites - a hash part by the one that it becomes, both of 32 nix32 digits.
   */
  constructor(rewrites: ReadonlyMap<string, string>) {
    for (const [from, to] of rewrites) {
      if (!isHashPart(from) || !isHashPart(to)) throw new Error(`unreachable: '${from}' or '${to}' is no hash part`);
    }
    this.#rewrites = rewrites;
    this.#beginnings = new Set(Array.from(rewrites.keys(), (from) => Buffer.from(from).readUInt32BE()));
  }

  /** @returns the bytes that are known by now, which are its own; as many as were pushed but for the last 31 at most. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = Buffer.concat([this.#tail, chunk]);
    if (this.#rewrites.size === 0) return bytes;
    const done = this.#rewrite(bytes);
    const kept = Math.max(done, bytes.length - (HASH_DIGITS - 1), 0);
    this.#tail = new Uint8Array(bytes.subarray(kept));
    return bytes.subarray(0, kept);
  }

  /** @returns the last bytes. */
  finish(): Uint8Array {
    const rest = this.#tail;
    this.#tail = new Uint8Array(0);
    return rest;
  }

  /** @returns where the last hash part ends that was replaced. */
  #rewrite(bytes: Buffer): number {
    let done = 0;
    let digits = 0;
    for (let end = 0; end < bytes.length; end++) {
      if (IS_DIGIT[bytes[end]!] === 0) {
        digits = 0;
        // Where there is no digit, none of the next 31 places can be the end of a hash part.
        const next = end + HASH_DIGITS;
        if (next < bytes.length && IS_DIGIT[bytes[next]!] === 0) end = next - 1;
        continue;
      }
      if (++digits < HASH_DIGITS) continue;
      const start = end + 1 - HASH_DIGITS;
      if (!this.#beginnings.has(bytes.readUInt32BE(start))) continue;
      const to = this.#rewrites.get(bytes.toString('latin1', start, end + 1));
      if (to === undefined) continue;
      bytes.write(to, start, 'latin1');
      done = end + 1;
      digits = 0;
    }
    return done;
  }
}

function isHashPart(text: string): boolean {
  return text.length === HASH_DIGITS && [...text].every((char) => NIX32_ALPHABET.includes(char));
}

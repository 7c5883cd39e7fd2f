/**
 * Finds out which store paths some bytes refer to: those whose hash part occurs in them, wherever it does.
 *
 * Source: Nix 2.35 libstore/references.cc.
 */
import { NIX32_ALPHABET } from './nix32.ts';
import { hashPart, type StorePath } from './store-path.ts';

const HASH_DIGITS = 32;
const NO_DIGIT = 0xff;
/** The values of the digits, by byte. */
const VALUES = new Uint8Array(256).fill(NO_DIGIT);
for (const [value, digit] of [...NIX32_ALPHABET].entries()) VALUES[digit.charCodeAt(0)] = value;

/** Scans bytes that come in chunks of any size. A chunk may be overwritten once it has been pushed. */
export class ReferenceScanner {
  /** Those that were not found yet, by their hash part. */
  readonly #missing: Map<string, StorePath[]>;
  /** How many hash parts among them begin with the same four digits: most candidates begin with others. */
  readonly #beginnings = new Uint16Array(2 ** 20);
  readonly #found: StorePath[] = [];
  /** The last bytes before the next chunk: a hash part may begin in them. */
  readonly #tail: Uint8Array = new Uint8Array(2 * (HASH_DIGITS - 1));
  #tailLength = 0;

  /** @param paths - that may be referred to. */
  constructor(paths: Iterable<StorePath>) {
    this.#missing = Map.groupBy(paths, hashPart);
    for (const hash of this.#missing.keys()) this.#beginnings[beginningOf(Buffer.from(hash), 0)]!++;
  }

  push(chunk: Uint8Array): void {
    if (this.#missing.size === 0) return;
    const head = chunk.subarray(0, HASH_DIGITS - 1);
    this.#tail.set(head, this.#tailLength);
    this.#scan(this.#tail.subarray(0, this.#tailLength + head.length));
    this.#scan(chunk);
    this.#keepTail(chunk, this.#tailLength + head.length);
  }

  /** The paths that the bytes refer to, sorted. */
  finish(): StorePath[] {
    return this.#found.toSorted();
  }

  #keepTail(chunk: Uint8Array, joined: number): void {
    const whole = chunk.length >= HASH_DIGITS - 1 ? chunk : this.#tail.subarray(0, joined);
    const kept = whole.subarray(Math.max(0, whole.length - (HASH_DIGITS - 1)));
    this.#tail.set(kept); // which copies what overlaps as it should be
    this.#tailLength = kept.length;
  }

  /**
   * Looks at the last byte of where a hash part could be first. Most often it is no digit, and none of the 32 places
   * that hold it needs another look.
   */
  #scan(bytes: Uint8Array): void {
    const last = bytes.length - HASH_DIGITS;
    let start = 0;
    /** From `start` up to here there are digits only, as was seen before: no byte is looked at twice. */
    let known = 0;
    while (start <= last) {
      const end = start + HASH_DIGITS;
      let at = end - 1;
      while (at >= known && VALUES[bytes[at]!] !== NO_DIGIT) at--;
      if (at >= known) {
        start = at + 1;
      } else {
        if (this.#beginnings[beginningOf(bytes, start)] !== 0) this.#look(bytes, start);
        start++;
      }
      known = end;
    }
  }

  #look(bytes: Uint8Array, start: number): void {
    const hash = Buffer.from(bytes.buffer, bytes.byteOffset + start, HASH_DIGITS).toString('latin1');
    const paths = this.#missing.get(hash);
    if (paths === undefined) return;
    this.#found.push(...paths);
    this.#missing.delete(hash);
    this.#beginnings[beginningOf(bytes, start)]!--;
  }
}

/** The first four digits from `start` on, as a number. */
function beginningOf(digits: Uint8Array, start: number): number {
  const firstTwo = (VALUES[digits[start]!]! << 5) | VALUES[digits[start + 1]!]!;
  const nextTwo = (VALUES[digits[start + 2]!]! << 5) | VALUES[digits[start + 3]!]!;
  return (firstTwo << 10) | nextTwo;
}

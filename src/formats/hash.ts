/**
 * Hashes and their spellings: `sha256:` with base16, nix32 or base64 digits, or SRI (`sha256-BASE64`).
 * Which digits they are is told by their number, which differs for every algorithm.
 *
 * Source: Nix 2.35 libutil/hash.cc. BLAKE3, an experimental feature there, is left out.
 */
import { hash as digestOf } from 'node:crypto';
import { FormatError } from '../errors.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { decodeNix32, encodeNix32, nix32Length } from './nix32.ts';
import { quote } from './quote.ts';

/** The algorithms, by the names that Nix and Node share. */
export const HASH_ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512'] as const;
/** One of {@link HASH_ALGORITHMS}. */
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

/** A digest and what made it. Plain data: it survives structured clone. */
export interface Hash {
  readonly algorithm: HashAlgorithm;
  /** 16, 20, 32 or 64 bytes. */
  readonly digest: Uint8Array;
}

/** How the digest is spelled; `sri` is base64 with a dash after the algorithm. */
export type HashEncoding = 'base16' | 'nix32' | 'base64' | 'sri';

const DIGEST_SIZES: Readonly<Record<HashAlgorithm, number>> = { md5: 16, sha1: 20, sha256: 32, sha512: 64 };

/** The hash of `bytes`; text counts as UTF-8. */
export function hashBytes(algorithm: HashAlgorithm, bytes: Uint8Array | string): Hash {
  return { algorithm, digest: new Uint8Array(digestOf(algorithm, bytes, 'buffer')) };
}

/** Whether algorithm and digest are the same. */
export function hashesEqual(a: Hash, b: Hash): boolean {
  return a.algorithm === b.algorithm && Buffer.compare(a.digest, b.digest) === 0;
}

/** `sha256:DIGITS`, or `sha256-BASE64` for SRI. */
export function printHash(hash: Hash, encoding: HashEncoding): string {
  return `${hash.algorithm}${encoding === 'sri' ? '-' : ':'}${printDigest(hash, encoding)}`;
}

/** The digits alone; SRI counts as base64. */
export function printDigest({ digest }: Hash, encoding: HashEncoding): string {
  switch (encoding) {
    case 'base16':
      return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex');
    case 'nix32':
      return encodeNix32(digest);
    case 'base64':
    case 'sri':
      return encodeBase64(digest);
  }
}

/**
 * Reads a hash in any encoding.
 *
 * @param text - must name its algorithm, as in `sha256:…` or `sha256-…`.
 * @throws {FormatError} on an unknown algorithm, the wrong number of digits, or what is no digit.
 */
export function parseHash(text: string): Hash {
  const end = prefixLength(text);
  if (end < 0) throw new FormatError('hash', 0, `${quote(text)} names no algorithm, wanted one such as 'sha256:…'`);
  const algorithm = text.slice(0, end);
  if (!isHashAlgorithm(algorithm)) {
    throw new FormatError('hash', 0, `unknown algorithm ${quote(algorithm)}, wanted ${HASH_ALGORITHMS.join(', ')}`);
  }
  const digits = text.slice(end + 1);
  return { algorithm, digest: text[end] === '-' ? decodeSri(algorithm, digits) : decodeDigits(algorithm, digits) };
}

/**
 * Reads a hash whose algorithm is known.
 *
 * @param text - digits in any encoding; where they have a prefix, it must name `algorithm`.
 * @throws {FormatError} as {@link parseHash} does, and on another algorithm.
 */
export function parseDigest(algorithm: HashAlgorithm, text: string): Hash {
  if (prefixLength(text) < 0) return { algorithm, digest: decodeDigits(algorithm, text) };
  const hash = parseHash(text);
  if (hash.algorithm !== algorithm) {
    throw new FormatError('hash', 0, `wanted a ${algorithm} hash, got ${quote(text)}`);
  }
  return hash;
}

/** Where the separator after the name of the algorithm is; no encoding has one among its digits. */
function prefixLength(text: string): number {
  const colon = text.indexOf(':');
  return colon < 0 ? text.indexOf('-') : colon;
}

function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(DIGEST_SIZES, text);
}

function decodeSri(algorithm: HashAlgorithm, digits: string): Uint8Array {
  const size = DIGEST_SIZES[algorithm];
  if (digits.length !== base64Length(size)) throw wrongLength(algorithm, digits);
  return decodeBase64Digits(digits);
}

function decodeDigits(algorithm: HashAlgorithm, digits: string): Uint8Array {
  const size = DIGEST_SIZES[algorithm];
  switch (digits.length) {
    case size * 2:
      return decodeBase16Digits(digits);
    case nix32Length(size):
      return decodeNix32Digits(digits);
    case base64Length(size):
      return decodeBase64Digits(digits);
    default:
      throw wrongLength(algorithm, digits);
  }
}

function decodeBase16Digits(digits: string): Uint8Array {
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw new FormatError('hash', 0, `${quote(digits)} is not base16`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

function decodeNix32Digits(digits: string): Uint8Array {
  try {
    return decodeNix32(digits);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError('hash', 0, `${quote(digits)} is not nix32`, { cause });
  }
}

function decodeBase64Digits(digits: string): Uint8Array {
  const bytes = decodeBase64(digits);
  if (bytes === undefined) throw new FormatError('hash', 0, `${quote(digits)} is not base64`);
  return bytes;
}

function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

function wrongLength(algorithm: HashAlgorithm, digits: string): FormatError {
  return new FormatError('hash', 0, `${quote(digits)} has ${digits.length} digits, which no ${algorithm} hash has`);
}

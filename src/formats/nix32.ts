/**
 * Nix32, the base-32 of store paths and hashes: 5 bits a digit, the last digit
 * holds the lowest bits of the first byte.
 *
 * Source: Nix 2.35 manual, "Nix32 Encoding"; libutil/base-nix-32.cc.
 */
import { FormatError } from '../errors.ts';

/** The digits, by value. The letters e, o, u and t are left out. */
export const NIX32_ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz';

const DIGITS = Buffer.from(NIX32_ALPHABET);
const NO_DIGIT = 0xff;
/** The values, by character code. */
const VALUES = new Uint8Array(128).fill(NO_DIGIT);
for (const [value, digit] of [...NIX32_ALPHABET].entries()) VALUES[digit.charCodeAt(0)] = value;

/** How many digits spell `byteLength` bytes: 20 bytes take 32, 32 bytes take 52. */
export function nix32Length(byteLength: number): number {
  return Math.ceil((byteLength * 8) / 5);
}

/** Spells `bytes` in {@link nix32Length} digits. */
export function encodeNix32(bytes: Uint8Array): string {
  const length = nix32Length(bytes.length);
  const text = Buffer.allocUnsafe(length);
  for (let digit = 0; digit < length; digit++) {
    const bit = digit * 5;
    const byte = bit >>> 3;
    const window = bytes[byte]! | ((bytes[byte + 1] ?? 0) << 8);
    text[length - 1 - digit] = DIGITS[(window >>> (bit & 7)) & 31]!;
  }
  return text.toString('latin1');
}

/**
 * Reads back what {@link encodeNix32} spelled.
 *
 * @throws {FormatError} on a length no byte string has, a letter outside
 *   {@link NIX32_ALPHABET}, or bits beyond the last byte.
 */
export function decodeNix32(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  if (nix32Length(bytes.length) !== text.length) {
    throw new FormatError('nix32', text.length, `no byte string takes ${text.length} digits`);
  }
  for (let digit = 0; digit < text.length; digit++) {
    const offset = text.length - 1 - digit;
    const value = VALUES[text.charCodeAt(offset)] ?? NO_DIGIT;
    if (value === NO_DIGIT) throw new FormatError('nix32', offset, `'${text[offset]}' is not a digit`);
    const bit = digit * 5;
    const byte = bit >>> 3;
    const window = value << (bit & 7);
    bytes[byte]! |= window;
    const carry = window >>> 8;
    if (carry === 0) continue;
    if (byte + 1 === bytes.length) throw new FormatError('nix32', offset, 'bits beyond the last byte');
    bytes[byte + 1] = carry;
  }
  return bytes;
}

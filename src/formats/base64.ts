/**
 * Base64 as hashes, keys and signatures use it: standard alphabet, padded, one spelling for every byte string.
 *
 * Source: RFC 4648, section 4; libutil/base-n.cc.
 */

/** Spells `bytes`, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Reads back what {@link encodeBase64} spelled; undefined for any other text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  // A copy, as a small Buffer shares its memory with others, and structured clone would send all of it.
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  // Buffer skips what it does not know, so the way back is the check.
  return encodeBase64(bytes) === text ? bytes : undefined;
}

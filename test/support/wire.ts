/** Bytes of the Nix protocols for tests, written down token by token, and readings that are fed in pieces. */
import assert from 'node:assert/strict';
import { Feeding, WireInput } from '../../src/formats/wire/feed.ts';
import type { Reading } from '../../src/formats/wire/read.ts';

/** A number is eight bytes, a text has its length before it and is padded. */
export type Token = number | bigint | string;

export function wire(...tokens: readonly Token[]): Buffer {
  return Buffer.concat(tokens.map(encode));
}

function encode(token: Token): Buffer {
  if (typeof token === 'string') {
    const bytes = Buffer.from(token);
    return Buffer.concat([encode(bytes.length), bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(token));
  return bytes;
}

/** What a reading makes of these chunks. @throws where they are not all read, or not enough. */
export function feed<T>(reading: Reading<T>, ...chunks: readonly Uint8Array[]): T {
  const input = new WireInput();
  const feeding = new Feeding(reading, input);
  let result = feeding.advance();
  for (const chunk of chunks) {
    assert.equal(result, undefined, 'it has ended before the last chunk');
    input.push(chunk);
    result = feeding.advance();
  }
  assert.ok(result, 'it wants more');
  assert.equal(input.length, 0, 'it has not read all');
  return result.value;
}

/** Asserts what a reading makes of these bytes, whole, cut at every place, and byte by byte. */
export function readsAs<T>(read: () => Reading<T>, bytes: Uint8Array, expected: T): void {
  assert.deepEqual(feed(read(), bytes), expected);
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(feed(read(), bytes.subarray(0, cut), bytes.subarray(cut)), expected, `cut at ${cut}`);
  }
  assert.deepEqual(feed(read(), ...Array.from(bytes, (byte) => Uint8Array.of(byte))), expected);
}

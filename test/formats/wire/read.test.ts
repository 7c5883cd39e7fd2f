import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError } from '../../../src/errors.ts';
import { Feeding, WireInput } from '../../../src/formats/wire/feed.ts';
import {
  type Reading,
  readBigInteger,
  readBoolean,
  readBytes,
  readInteger,
  readList,
  readMap,
  readMessage,
  readString,
} from '../../../src/formats/wire/read.ts';
import { feed, readsAs, wire } from '../../support/wire.ts';

function* five(): Reading<string[]> {
  return [yield* readString(), yield* readString(), yield* readString(), yield* readString(), yield* readString()];
}

describe('the wire is read', () => {
  /** NixOS/nix 2.35, src/libstore-tests/data/common-protocol/string.bin. */
  test('string by string', () => {
    const hex = `0000000000000000 0200000000000000 6869000000000000 0c00000000000000 7768697465207261 6262697400000000
      0900000000000000 e5a4a7e799bde585 9400000000000000 0600000000000000 6f68206e6f200000`;
    readsAs(five, Buffer.from(hex.replace(/\s/g, ''), 'hex'), ['', 'hi', 'white rabbit', '大白兔', 'oh no ']);
  });

  test('number by number', () => {
    readsAs(() => readInteger(), wire(2 ** 40 + 7), 2 ** 40 + 7);
    readsAs(readBigInteger, wire(2n ** 64n - 1n), 2n ** 64n - 1n);
    readsAs(readBoolean, wire(0), false);
    readsAs(readBoolean, wire(2), true);
  });

  test('list by list', () => {
    readsAs(() => readList(() => readString()), wire(2, 'a', 'white rabbit'), ['a', 'white rabbit']);
    readsAs(() => readMap(() => readInteger()), wire(2, 'b', 1, 'a', 2), new Map(Object.entries({ b: 1, a: 2 })));
  });

  test('with bytes that stay what they are', () => {
    const bytes = wire('abc');
    const read = feed(readBytes(), bytes);
    bytes.fill(0);
    assert.deepEqual(read, new Uint8Array(Buffer.from('abc')));
  });

  test('with text for people in any encoding', () => {
    assert.equal(feed(readMessage(), Buffer.concat([wire(1), Buffer.from('ff00000000000000', 'hex')])), '\uFFFD');
  });
});

const REJECTED: readonly (readonly [why: string, read: () => Reading<unknown>, bytes: Buffer])[] = [
  ['a number that is not exact', () => readInteger(), wire(2n ** 53n)],
  ['a number above a limit', () => readInteger(5), wire(6)],
  ['a string longer than allowed', () => readString(5), wire(6)],
  ['a string of an absurd length', () => readString(), wire(2n ** 64n - 1n)],
  ['padding that is not zero', () => readString(), Buffer.concat([wire(1), Buffer.from('aaaaaaaa')])],
  ['text that is not UTF-8', () => readString(), Buffer.concat([wire(1), Buffer.from('ff00000000000000', 'hex')])],
  ['a list of an absurd length', () => readList(readBoolean), wire(2n ** 63n)],
  ['a list longer than allowed', () => readList(readBoolean, 1), wire(2)],
  ['a key that comes twice', () => readMap(readBoolean), wire(2, 'a', 0, 'a')],
];

for (const [why, read, bytes] of REJECTED) {
  test(`the wire may not have ${why}`, () => {
    assert.throws(() => feed(read(), bytes), FormatError);
  });
}

test('input gives what it has, across chunks, and takes back what was too much', () => {
  const input = new WireInput();
  for (const text of ['ab', '', 'cde', 'f']) input.push(Buffer.from(text));
  assert.equal(input.length, 6);
  assert.equal(input.take(7), undefined);
  assert.equal(Buffer.from(input.take(4)!).toString(), 'abcd');
  assert.equal(Buffer.from(input.takeChunk()!).toString(), 'e');
  input.putBack(Buffer.from('xy'));
  assert.equal(Buffer.from(input.take(3)!).toString(), 'xyf');
  assert.equal(input.length, 0);
  assert.equal(input.takeChunk(), undefined);
});

test('all that one reading takes has a limit, however small its parts are', () => {
  const input = new WireInput();
  const feeding = new Feeding(
    readList(() => readString()),
    input,
    64,
  );
  input.push(wire(1_000, 'a', 'b', 'c'));
  assert.equal(feeding.advance(), undefined);
  input.push(wire('d'));
  assert.throws(() => feeding.advance(), FormatError);
});

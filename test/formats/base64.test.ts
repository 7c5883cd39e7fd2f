import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from '../../src/formats/base64.ts';

/** From RFC 4648, section 10. */
const SPELLINGS = [
  ['', ''],
  ['f', 'Zg=='],
  ['fo', 'Zm8='],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg=='],
] as const;

const REJECTED = [
  ['Zg', 'missing padding'],
  ['Zg=', 'half of the padding'],
  ['Zh==', 'bits beyond the last byte'],
  ['Zm9v\n', 'a newline'],
  ['Z m9v', 'a space'],
  ['Zm9-', 'the alphabet for URLs'],
  ['Zg==Zg==', 'padding in the middle'],
] as const;

describe('base64', () => {
  for (const [text, digits] of SPELLINGS) {
    test(`spells '${text}' as '${digits}'`, () => {
      assert.equal(encodeBase64(Buffer.from(text)), digits);
      assert.deepEqual(decodeBase64(digits), new Uint8Array(Buffer.from(text)));
    });
  }

  for (const [digits, why] of REJECTED) {
    test(`rejects ${why}`, () => assert.equal(decodeBase64(digits), undefined));
  }

  test('reads back whatever it spells', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes)));
  });

  test('gives bytes that share their memory with nothing', () => {
    assert.equal(decodeBase64('Zm9v')!.buffer.byteLength, 3);
  });
});

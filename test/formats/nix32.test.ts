import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { decodeNix32, encodeNix32, NIX32_ALPHABET, nix32Length } from '../../src/formats/nix32.ts';

/** From go-nix, pkg/nixbase32/nixbase32_test.go. */
const SPELLINGS = [
  ['', ''],
  ['1f', '0z'],
  [
    'd86b3392c1202e8ff5a423b302e6284db7f8f435ea9f39b5b1b20fd3ac36dfcb',
    '1jyz6snd63xjn6skk7za6psgidsd53k05cr3lksqybi0q6936syq',
  ],
] as const;

const REJECTED = [
  ['0t', 1, 'a letter outside the alphabet'],
  ['0A', 1, 'an upper case letter'],
  ['0é', 1, 'a character beyond ASCII'],
  ['zz', 0, 'bits beyond the last byte'],
  ['0', 1, 'a length no byte string has'],
] as const;

describe('nix32', () => {
  for (const [hex, digits] of SPELLINGS) {
    test(`spells ${hex || 'nothing'} as ${digits || 'nothing'}`, () => {
      assert.equal(encodeNix32(Buffer.from(hex, 'hex')), digits);
      assert.equal(Buffer.from(decodeNix32(digits)).toString('hex'), hex);
    });
  }

  for (const [text, offset, why] of REJECTED) {
    test(`rejects ${why}`, () => {
      assert.throws(
        () => decodeNix32(text),
        (error) => error instanceof FormatError && error.offset === offset,
      );
    });
  }

  test('reads back whatever it spells', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(decodeNix32(encodeNix32(bytes)), bytes)));
  });

  test('is the number whose lowest byte comes first, in base 32', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        let number = bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
        let digits = '';
        for (let place = 0; place < nix32Length(bytes.length); place++) {
          digits = NIX32_ALPHABET[Number(number % 32n)] + digits;
          number /= 32n;
        }
        assert.equal(encodeNix32(bytes), digits);
      }),
    );
  });

  test('reads any text as bytes that spell it, or not at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...NIX32_ALPHABET, 'e') }), (text) => {
        try {
          assert.equal(encodeNix32(decodeNix32(text)), text);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
    );
  });
});

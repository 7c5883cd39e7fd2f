import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NIX32_ALPHABET } from '../../src/formats/nix32.ts';
import { ReferenceScanner } from '../../src/formats/reference-scanner.ts';
import { hashPart, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import { bytes } from '../support/seeded.ts';

/** From Nix 2.35, libstore-tests/references.cc. */
const ONE = 'dc04vv14dak1c1r48qa0m23vr9jy8sm0';
const TWO = 'zc842j0rz61mjsp3h3wp5ly71ak6qgdn';
const [one, two] = [parseBaseName(`${ONE}-one`), parseBaseName(`${TWO}-two`)];

const FOUND = [
  [`foobar${ONE}`, [one], 'at the end'],
  [`${ONE}foobar`, [one], 'at the start'],
  [ONE, [one], 'alone'],
  [`foobar${ONE}xyzzy${TWO}`, [one, two], 'two of them'],
  [`${TWO}${ONE}`, [one, two], 'one right after the other'],
  [`\0${ONE}\0${ONE}`, [one], 'twice'],
  [`/nix/store/${TWO}-two/bin/two`, [two], 'in a file name'],
  [`0123456789abcdfghijklmnpqrsvwxyz${ONE}01`, [one], 'in the middle of many digits'],
  [`${ONE.slice(1)}${ONE}`, [one], 'after most of itself'],
  [`\u{1f600}${ONE}`, [one], 'after bytes beyond ASCII'],
] as const;

const NOT_FOUND = [
  ['', 'nothing'],
  [ONE.slice(1), 'all but its first digit'],
  [ONE.slice(0, -1), 'all but its last digit'],
  [`${ONE.slice(0, 16)}-${ONE.slice(16)}`, 'its digits with something between them'],
  [ONE.toUpperCase(), 'capitals'],
  [ONE.replace('d', 'e'), 'a letter that is no digit'],
  [`${ONE.slice(0, 31)}1`, 'another last digit'],
  [`${ONE.slice(0, 31)}é`, 'a last byte beyond ASCII'],
  ['one', 'only its name'],
] as const;

function scan(paths: Iterable<StorePath>, ...chunks: readonly Uint8Array[]): StorePath[] {
  const scanner = new ReferenceScanner(paths);
  for (const chunk of chunks) {
    const copy = Uint8Array.from(chunk);
    scanner.push(copy);
    copy.fill(0x30); // as sources do, which use their buffer again
  }
  return scanner.finish();
}

describe('the reference scanner', () => {
  for (const [text, expected, where] of FOUND) {
    test(`finds a hash part ${where}, wherever chunks end`, () => {
      const whole = Buffer.from(text);
      for (let cut = 0; cut <= whole.length; cut++) {
        assert.deepEqual(scan([two, one], whole.subarray(0, cut), whole.subarray(cut)), expected, `cut at ${cut}`);
      }
      for (let size = 1; size < 40; size++) {
        const count = Math.ceil(whole.length / size);
        const chunks = Array.from({ length: count }, (_, n) => whole.subarray(n * size, (n + 1) * size));
        assert.deepEqual(scan([two, one], ...chunks), expected, `chunks of ${size}`);
      }
    });
  }

  for (const [text, what] of NOT_FOUND) {
    test(`does not take ${what} for a hash part`, () => {
      const whole = Buffer.from(text);
      for (let cut = 0; cut <= whole.length; cut++) {
        assert.deepEqual(scan([one], whole.subarray(0, cut), whole.subarray(cut)), []);
      }
    });
  }

  test('finds hash parts that overlap', () => {
    const digits = `${ONE}${NIX32_ALPHABET}`;
    const paths = [0, 1, 5, 31, 32].map((start) => parseBaseName(`${digits.slice(start, start + 32)}-x`));
    assert.deepEqual(scan(paths, Buffer.from(digits)), paths.toSorted());
  });

  test('finds all paths that share a hash part', () => {
    const paths = [one, parseBaseName(`${ONE}-other`)];
    assert.deepEqual(scan(paths, Buffer.from(ONE)), paths);
  });

  test('looks for nothing where there is nothing to look for', () => {
    assert.deepEqual(scan([], Buffer.from(ONE)), []);
  });

  test('forgets what lies further back than a hash part reaches', () => {
    const [begin, end] = [Buffer.from(ONE.slice(0, 20)), Buffer.from(ONE.slice(20))];
    assert.deepEqual(scan([one], begin, Buffer.from('-'), end), []);
    assert.deepEqual(scan([one], begin, Buffer.alloc(0), end), [one]);
  });

  test('finds what a search for each hash part finds, in bytes and chunks of any kind', () => {
    const paths = Array.from({ length: 40 }, (_, id) => {
      const digits = [...bytes(32, { seed: 1 + id * 7919 })].map((byte) => NIX32_ALPHABET[byte & 31]);
      return parseBaseName(`${digits.join('')}-path-${id}`);
    });
    const piece = fc.oneof(
      fc.constantFrom(...paths.map(hashPart)),
      fc.tuple(fc.constantFrom(...paths.map(hashPart)), fc.nat(31)).map(([hash, length]) => hash.slice(0, length)),
      fc.string({ unit: fc.constantFrom(...NIX32_ALPHABET), maxLength: 70 }),
      fc.string({ unit: fc.constantFrom('0', 'z', 'e', '-', '\0', '\xff'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(80), { maxLength: 20 }), (pieces, sizes) => {
        const text = pieces.join('');
        const chunks: Buffer[] = [];
        let rest = Buffer.from(text, 'latin1');
        for (const size of sizes) {
          chunks.push(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        chunks.push(rest);
        assert.deepEqual(scan(paths, ...chunks), paths.filter((path) => text.includes(hashPart(path))).toSorted());
      }),
    );
  });
});

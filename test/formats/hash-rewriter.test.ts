import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HashRewriter } from '../../src/formats/hash-rewriter.ts';

const A = 'a'.repeat(32);
const B = '0123456789abcdfghijklmnpqrsvwxyz';
const C = 'z'.repeat(32);
const REWRITES = new Map([
  [A, B],
  [B, C],
]);

/** Pushes pieces of the given sizes, again and again. */
function rewrite(text: string, sizes: readonly number[], rewrites: ReadonlyMap<string, string> = REWRITES): string {
  const rewriter = new HashRewriter(rewrites);
  const bytes = Buffer.from(text, 'latin1');
  const parts: Uint8Array[] = [];
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const end = start + sizes[turn % sizes.length]!;
    const chunk = Buffer.from(bytes.subarray(start, end));
    parts.push(rewriter.push(chunk));
    chunk.fill(0); // a chunk may be overwritten once it has been pushed
    start = end;
  }
  return Buffer.concat([...parts, rewriter.finish()]).toString('latin1');
}

const CASES = [
  ['', '', 'nothing'],
  ['short', 'short', 'less than a hash part'],
  [A, B, 'a hash part alone'],
  [`/nix/store/${A}-x`, `/nix/store/${B}-x`, 'a hash part in a path'],
  [`${A}${B}`, `${B}${C}`, 'two without anything between'],
  [`aa${A}`, `${B}aa`, 'the first of those that overlap'],
  [
    `x${'\0'.repeat(40)}${A}${'\0'.repeat(40)}${B}`,
    `x${'\0'.repeat(40)}${B}${'\0'.repeat(40)}${C}`,
    'others than digits around',
  ],
  [A.slice(1), A.slice(1), 'a digit too few'],
  [`${A.slice(0, 16)}-${A.slice(16)}`, `${A.slice(0, 16)}-${A.slice(16)}`, 'digits with another character between'],
] as const;

describe('a hash rewriter', () => {
  for (const [text, wanted, why] of CASES) {
    test(`replaces what it should, in chunks of any size: ${why}`, () => {
      for (let size = 1; size <= 70; size++) assert.equal(rewrite(text, [size]), wanted);
    });
  }

  test('does the same as looking at all bytes at once', () => {
    const piece = fc.oneof(fc.constantFrom(A, B, C, 'a', 'b', '-', '\0'), fc.string({ maxLength: 40 }));
    const anyText = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('').replace(/[^\0-\xff]/g, ''));
    fc.assert(
      fc.property(anyText, fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 }), (text, sizes) => {
        const wanted = text.replaceAll(new RegExp(`${A}|${B}`, 'g'), (from) => REWRITES.get(from)!);
        assert.equal(rewrite(text, sizes), wanted);
      }),
    );
  });

  test('holds back less than a hash part', () => {
    const rewriter = new HashRewriter(REWRITES);
    assert.equal(rewriter.push(Buffer.alloc(100)).length, 69);
    assert.equal(new HashRewriter(new Map()).push(Buffer.alloc(100)).length, 100);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareText } from '../../src/formats/compare-text.ts';

test('text is ordered by its UTF-8 bytes', () => {
  const anyText = fc.string({ unit: fc.oneof(fc.constantFrom('a', '\uffff', '\ue000', '\u{10000}', '\u{10ffff}')) });
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      assert.equal(Math.sign(compareText(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { AtermReader, printAtermString } from '../../src/formats/aterm.ts';

describe('an ATerm', () => {
  test('has strings that are read back as printed', () => {
    const anyText = fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\r', '\t', 'n', 'é', '\u{10000}') });
    fc.assert(
      fc.property(fc.array(anyText), (texts) => {
        const reader = new AtermReader('x', `[${texts.map(printAtermString).join()}]`, 'utf8');
        assert.deepEqual(reader.strings(), texts);
        reader.expectEnd();
      }),
    );
  });

  test('is refused where it breaks off, with the byte', () => {
    const text = '["é","\\"",["a"]]';
    for (let end = 0; end < text.length; end++) {
      const reader = new AtermReader('x', text.slice(0, end), 'utf8');
      assert.throws(() => {
        reader.list(() => (text.slice(reader.position).startsWith('[') ? reader.strings() : reader.string()));
      }, FormatError);
    }
    for (const [encoding, offset] of [
      ['latin1', 2],
      ['utf8', 4],
    ] as const) {
      const reader = new AtermReader('x', 'éé', encoding);
      assert.ok(reader.accepts('éé'));
      assert.throws(() => reader.expect('"'), { offset });
    }
  });
});

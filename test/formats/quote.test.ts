import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainText, quote } from '../../src/formats/quote.ts';

const QUOTED = [
  ['abc', `'abc'`, 'plain text as it is'],
  ['é…', `'é…'`, 'letters of every alphabet as they are'],
  ['a\nb\0', String.raw`'a\u{a}b\u{0}'`, 'control characters by their code'],
  ['\u001b[31m', String.raw`'\u{1b}[31m'`, 'no colours for the terminal'],
  ['a\u202eb', String.raw`'a\u{202e}b'`, 'no change of direction'],
  ['x'.repeat(101), `'${'x'.repeat(100)}…'`, 'the first 100 characters of long text'],
] as const;

for (const [text, quoted, what] of QUOTED) {
  test(`a quotation has ${what}`, () => assert.equal(quote(text), quoted));
}

test('what others say keeps its lines, and loses what a terminal would obey', () => {
  assert.equal(plainText('\x1b[31mred\x1b[0m\r\n\tü\u202e\x07'), 'red\n\tü');
});

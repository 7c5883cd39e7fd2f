import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf, truncate } from '../../../src/cli/progress/columns.ts';

/** As East_Asian_Width of Unicode 16 has it. */
const WIDTHS = [
  ['', 0, 'nothing'],
  ['gcc -c', 6, 'ASCII'],
  ['‘naïve’ … „Größe“', 17, 'accents and quotation marks'],
  ['├─█ →', 5, 'lines of boxes, blocks, arrows'],
  ['日本語', 6, 'ideographs'],
  ['한국', 4, 'Hangul'],
  ['ＡＢ', 4, 'full-width letters'],
  ['⌚🚀', 4, 'pictures'],
  ['a日b', 4, 'a mixture'],
] as const;

for (const [text, columns, what] of WIDTHS) {
  test(`${what}: '${text}' takes ${columns} columns`, () => assert.equal(columnsOf(text), columns));
}

const TRUNCATED = [
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['日本', 4, '日本'],
  ['日本語', 4, '日…'],
  ['日本語', 5, '日本…'],
  ['🚀🚀', 3, '🚀…'],
  ['abc', 1, '…'],
  ['abc', 0, ''],
  ['', 0, ''],
] as const;

for (const [text, columns, expected] of TRUNCATED) {
  test(`'${text}' cut to ${columns} columns is '${expected}'`, () => assert.equal(truncate(text, columns), expected));
}

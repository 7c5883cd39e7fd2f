import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogLines } from '../../src/build/log-lines.ts';

/** What is printed, and its lines. */
const PRINTED = [
  ['nothing', '', []],
  ['two lines', 'a\nb\n', ['a', 'b']],
  ['a line without an end', 'a\nb', ['a', 'b']],
  ['empty lines', '\n\n', ['', '']],
  ['a line that is written over', 'abc\rX\n', ['Xbc']],
  ['a carriage return before the end', 'abc\r\n', ['abc']],
  ['progress', '10%\r100%\rdone\n', ['done']],
] as const;

for (const [what, text, lines] of PRINTED) {
  test(`lines of ${what}, wherever chunks end`, () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const seen: string[] = [];
      const reader = new LogLines((line) => seen.push(line));
      reader.push(Buffer.from(text.slice(0, cut)));
      reader.push(Buffer.from(text.slice(cut)));
      reader.finish();
      assert.deepEqual(seen, lines);
    }
  });
}

test('a line that is too long is taken for several', () => {
  const lengths: number[] = [];
  const reader = new LogLines((line) => lengths.push(line.length));
  for (let chunk = 0; chunk < 100; chunk++) reader.push(Buffer.alloc(2_000, 'x'));
  reader.finish();
  assert.deepEqual(lengths, [65_536, 65_536, 65_536, 200_000 - 3 * 65_536]);
});

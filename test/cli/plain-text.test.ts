import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainText } from '../../src/cli/plain-text.ts';

for (const [line, shown, why] of [
  ['\u001b[1;31merror:\u001b[0m no', 'error: no', 'colours'],
  ['50%\r100%', '50%100%', 'carriage returns'],
  ['a\tb', 'a b', 'tabs'],
  ['\u001b]0;title\u0007x', 'x', 'titles of windows'],
  ['\u001b[2J\u001b[Hgone', 'gone', 'movements of the cursor'],
  ['größer [y/n]', 'größer [y/n]', 'nothing of what is only text'],
] as const) {
  test(`plain text loses ${why}`, () => assert.equal(plainText(line), shown));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inMebibytes, threeDigits, wholeNumber } from '../../../src/cli/bench/numbers.ts';

const NUMBERS = [
  [0, '0'],
  [0.0421, '0.042'],
  [0.421, '0.421'],
  [0.99949, '0.999'],
  [0.9996, '1.00'],
  [9.994, '9.99'],
  [9.996, '10.0'],
  [99.94, '99.9'],
  [99.96, '100'],
  [4210.4, '4,210'],
  [undefined, '–'],
  [Infinity, '–'],
] as const;

for (const [value, text] of NUMBERS) test(`${value} reads ${text}`, () => assert.equal(threeDigits(value), text));

test('bytes are counted in MiB', () => {
  assert.equal(inMebibytes(1.5 * 2 ** 20), '1.50');
  assert.equal(inMebibytes(undefined), '–');
});

test('large whole numbers have commas', () => assert.equal(wholeNumber(1234567), '1,234,567'));

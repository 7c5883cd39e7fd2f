import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseLimit, parseParallelism, parseSize } from '../../../src/cli/bench/options.ts';
import { UsageError } from '../../../src/errors.ts';

describe('--parallelism', () => {
  test('takes numbers in any order, each once', () => {
    assert.deepEqual(parseParallelism('4'), [4]);
    assert.deepEqual(parseParallelism('16, 4,1,4'), [16, 4, 1]);
  });
  for (const text of ['', '0', '1,,2', '-1', '1.5', '1e3', '9999', 'many']) {
    test(`refuses '${text}'`, () => assert.throws(() => parseParallelism(text), UsageError));
  }
});

describe('--limit', () => {
  test('takes a number', () => assert.equal(parseLimit('120'), 120));
  for (const text of ['', '0', '01', '-1', '1.5', 'all', '9999999999']) {
    test(`refuses '${text}'`, () => assert.throws(() => parseLimit(text), UsageError));
  }
});

describe('--max-size', () => {
  const SIZES = [
    ['1', 1],
    ['1500', 1500],
    ['2k', 2048],
    ['500M', 500 * 2 ** 20],
    ['500MiB', 500 * 2 ** 20],
    ['500 MB', 500 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    ['3T', 3 * 2 ** 40],
  ] as const;
  for (const [text, bytes] of SIZES) test(`reads ${text}`, () => assert.equal(parseSize(text), bytes));
  for (const text of ['', '0', '0.1', 'M', '1X', '1Mi', '-1M', '1,5G', '1e9', 'constructor']) {
    test(`refuses '${text}'`, () => assert.throws(() => parseSize(text), UsageError));
  }
});

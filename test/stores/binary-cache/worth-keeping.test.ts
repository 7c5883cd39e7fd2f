import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWorthKeeping } from '../../../src/stores/binary-cache/worth-keeping.ts';

const MEBIBYTE = 1024 * 1024;

describe('what has come of a large file', () => {
  for (const [what, received, milliseconds, left, expected] of [
    ['is kept as long as there is little of it', 63, 1, 1_000, true],
    ['is kept where the rest takes its time', 64, 1_000, 641, true],
    ['is not kept where the rest is there soon', 64, 1_000, 640, false],
    ['is kept where nobody knows how much is to come', 64, 1, Number.POSITIVE_INFINITY, true],
  ] as const) {
    test(what, () => {
      const download = { received: received * MEBIBYTE, milliseconds, left: left * MEBIBYTE };
      assert.equal(isWorthKeeping(download), expected);
    });
  }
});

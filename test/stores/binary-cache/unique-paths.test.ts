import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBaseName, type StorePath } from '../../../src/formats/store-path.ts';
import { UniquePaths } from '../../../src/stores/binary-cache/unique-paths.ts';

const path = (index: number): StorePath => parseBaseName(`${String(index).padStart(32, '0')}-a`);

describe('unique paths', () => {
  test('are what was asked for, seen before or not', () => {
    const paths = new UniquePaths();
    assert.deepEqual(
      [1, 2, 1].map((index) => paths.of(path(index))),
      [1, 2, 1].map(path),
    );
  });

  test('are so also when there are more than are kept', () => {
    const paths = new UniquePaths();
    for (let index = 0; index < 140_000; index++) paths.of(path(index));
    for (const index of [0, 139_999]) assert.equal(paths.of(path(index)), path(index));
  });
});

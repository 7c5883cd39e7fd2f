import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StorePath } from '../../src/formats/store-path.ts';
import { makeBatches } from '../../src/scheduler/verify-batches.ts';
import type { Row } from '../../src/scheduler/verify-rows.ts';

const MIB = 2 ** 20;
const narHash = { algorithm: 'sha256', digest: new Uint8Array(32) } as const;

function rowsOf(sizes: readonly number[]): Row[] {
  return sizes.map((narSize, id) => ({ id, path: `${id}` as StorePath, shown: `${id}`, narHash, narSize }));
}

function batchesOf(sizes: readonly number[], threads = 2): number[][] {
  return makeBatches(rowsOf(sizes), threads).map((batch) => batch.map(({ narSize }) => narSize));
}

describe('jobs of a verification', () => {
  test('hold every path once', () => {
    const rows = rowsOf(Array.from({ length: 1_000 }, (_, index) => (index * 7_919) % 1_000_003));
    const ids = makeBatches(rows, 2).flatMap((batch) => batch.map(({ id }) => id));
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      rows.map(({ id }) => id),
    );
    assert.deepEqual(makeBatches([], 2), []);
  });

  const cases: readonly [what: string, sizes: readonly number[], batches: readonly (readonly number[])[]][] = [
    [
      'two of the same size go together',
      [8, 8, 8, 8, 8, 8],
      [
        [8, 8],
        [8, 8],
        [8, 8],
      ],
    ],
    [
      'a larger one goes with several that are as much together',
      [24, 12, 11, 8, 8, 8, 8],
      [
        [24, 12, 11],
        [8, 8],
        [8, 8],
      ],
    ],
    ['one that is the share of a thread goes alone', [100, 9, 9, 9, 9], [[100], [9, 9], [9, 9]]],
    ['two go to a thread each', [8, 8], [[8], [8]]],
    ['those whose sizes are not known go together', [0, 0, 0], [[0, 0, 0]]],
    ['small ones go many together', Array.from({ length: 16 }, () => 1), Array.from({ length: 4 }, () => [1, 1, 1, 1])],
  ];
  for (const [what, sizes, batches] of cases) {
    test(what, () => {
      const inBytes = batches.map((batch) => batch.map((size) => size * MIB));
      assert.deepEqual(batchesOf(sizes.map((size) => size * MIB)), inBytes);
    });
  }

  test('are not of so many paths that others wait for them', () => {
    const batches = batchesOf(Array.from({ length: 1_000 }, () => 100));
    assert.ok(batches.every((batch) => batch.length <= 128));
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { StagedPath } from '../../src/stores/staged-path.ts';
import { chunksOf, putOffWithOthers } from '../../src/stores/together.ts';

const path = (id: number): StorePath => parseBaseName(`${'0'.repeat(32)}-path-${id}`);

function staged(id: number, references: readonly number[] = [], together?: readonly number[]): StagedPath {
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(32) } as const;
  const info = { path: path(id), narHash, narSize: 1, references: references.map(path), signatures: [] };
  return { info, location: '', together: together?.map(path) };
}

const ids = (batch: Iterable<StagedPath>): number[] => [...batch].map(({ info }) => Number(info.path.at(-1)));
const cut = (batch: readonly StagedPath[]): number[][] => [...chunksOf(batch, { paths: 2, references: 3 })].map(ids);

describe('paths that become valid together', () => {
  test('are in one chunk, whatever its size', () => {
    const together = [1, 3, 4];
    const batch = [0, 1, 2, 3, 4, 5, 6].map((id) => staged(id, [], together.includes(id) ? together : undefined));
    assert.deepEqual(cut(batch), [
      [0, 1, 2, 3, 4],
      [5, 6],
    ]);
  });

  test('do not wait for one that is not there', () => {
    assert.deepEqual(cut([staged(0, [], [0, 9]), staged(1), staged(2)]), [[0, 1], [2]]);
  });

  test('others are cut by paths and by references', () => {
    assert.deepEqual(cut([staged(0, [7, 8, 9]), staged(1), staged(2), staged(3)]), [[0], [1, 2], [3]]);
  });

  test('are put off with one of them, and with what refers to it', () => {
    const batch = [staged(0, [], [0, 2]), staged(1, [0]), staged(2, [], [0, 2]), staged(3, [1]), staged(4)];
    const putOff = new Set([path(2)]);
    putOffWithOthers(batch, putOff);
    assert.deepEqual([...putOff].sort(), [0, 1, 2, 3].map(path));
  });
});

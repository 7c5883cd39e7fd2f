import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/errors.ts';
import { parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import { ValidPaths } from '../../src/scheduler/valid-paths.ts';

const path = (id: number): StorePath => parseBaseName(`${'0'.repeat(32)}-path-${id}`);

describe('valid paths', () => {
  test('those of one turn are protected and then asked for at once', async () => {
    const did: string[] = [];
    const valid = new ValidPaths({
      addTempRoots: async (paths) => void did.push(`protect ${[...paths].length}`),
      queryValidPaths: async (paths) => {
        did.push(`query ${[...paths].length}`);
        return new Set([path(2)]);
      },
    });
    const answers = Promise.all([1, 2, 3].map((id) => valid.has(path(id))));
    assert.deepEqual(await answers, [false, true, false]);
    assert.equal(await valid.has(path(2)), true);
    assert.deepEqual(did, ['protect 3', 'query 3', 'protect 1', 'query 1']);
  });

  test('a store that cannot answer fails those who asked, and nobody after them', async () => {
    let broken = true;
    const valid = new ValidPaths({
      addTempRoots: async () => {
        if (broken) throw new StoreError('as asked');
      },
      queryValidPaths: async () => new Set(),
    });
    await Promise.all([1, 2].map((id) => assert.rejects(valid.has(path(id)), /as asked/)));
    broken = false;
    assert.equal(await valid.has(path(1)), false);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryClosure } from '../../src/cli/closure.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { pathNamed } from '../support/transfers.ts';
import { file } from '../support/trees.ts';

test('a store is asked for each path once, and missing paths are left out', async () => {
  const base = makeObject('base', file('base'));
  const [a, b] = ['a', 'b'].map((name) => makeObject(name, file(name), { references: [base.info.path] })) as [
    typeof base,
    typeof base,
  ];
  const store = new MemoryStore(DEFAULT_STORE_DIR);
  await add(store, base, a, b);
  const asked: StorePath[] = [];
  const counting = Object.create(store, {
    queryPathInfo: {
      value: (path: StorePath) => {
        asked.push(path);
        return store.queryPathInfo(path);
      },
    },
  }) as MemoryStore;
  const missing = pathNamed('missing');
  const infos = await queryClosure(counting, [a.info.path, b.info.path, missing], { recursive: true });
  assert.deepEqual([...infos.keys()].sort(), [a, b, base].map(({ info }) => info.path).sort());
  assert.equal(asked.length, 4);
  const shallow = await queryClosure(store, [a.info.path], { recursive: false });
  assert.deepEqual([...shallow.keys()], [a.info.path]);
});

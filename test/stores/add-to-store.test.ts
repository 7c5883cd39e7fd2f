import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import { readTempRoots } from '../../src/stores/gc/temp-root-files.ts';
import { loadLibc } from '../../src/stores/libc.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const base = makeObject('base', file('base'));
const app = makeObject('app', file('app'), { references: [base.info.path] });

describe('adding a path out of a NAR', () => {
  test('keeps it and what it refers to from being collected, also where it is valid already', async () => {
    await using resources = new AsyncDisposableStack();
    const root = await temporaryDirectory(resources);
    {
      await using earlier = new AsyncDisposableStack();
      await add(await openTestStore(root, earlier), base, app);
    }
    const store = await openTestStore(root, resources);
    await store.addToStore(app.info, () => Promise.reject(new Error('unreachable: the path is valid')));
    const { roots } = readTempRoots(loadLibc(), store.stateDir, DEFAULT_STORE_DIR);
    assert.deepEqual(roots.map(({ path }) => path).sort(), [base.info.path, app.info.path].sort());
  });

  test('asks for no NAR where a path that it refers to is not valid', async () => {
    await using resources = new AsyncDisposableStack();
    const store = await openTestStore(await temporaryDirectory(resources), resources);
    const adding = store.addToStore(app.info, () => Promise.reject(new Error('unreachable: it is asked for')));
    await assert.rejects(adding, { code: 'ERR_INVALID_PATH', message: new RegExp(base.info.path) });
  });
});

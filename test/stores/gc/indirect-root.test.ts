import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../../src/formats/store-path.ts';
import { findPermanentRoots } from '../../../src/stores/gc/find-roots.ts';
import { addIndirectRoot } from '../../../src/stores/gc/indirect-root.ts';
import { full, pathOf } from '../../support/gc-store.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const storeDir = DEFAULT_STORE_DIR;

describe('adding a root', () => {
  test('makes a symlink that a collector finds, and replaces one that leads into the store', async () => {
    await using resources = new AsyncDisposableStack();
    const stateDir = await temporaryDirectory(resources);
    const link = join(stateDir, 'home/deep/result');
    for (const name of ['one', 'two']) {
      assert.equal(await addIndirectRoot({ stateDir, storeDir }, link, pathOf(name)), link);
      assert.deepEqual(findPermanentRoots(stateDir, storeDir).roots, [{ from: link, path: pathOf(name) }]);
    }
    assert.deepEqual(readdirSync(join(stateDir, 'home/deep')), ['result']);
    assert.equal(readdirSync(join(stateDir, 'gcroots/auto')).length, 1);
  });

  for (const [what, make] of [
    ['a file', (at: string) => writeFileSync(at, 'mine')],
    ['a directory', (at: string) => mkdirSync(at)],
    ['a symlink to somewhere else', (at: string) => symlinkSync('/etc/passwd', at)],
  ] as const) {
    test(`does not touch ${what}`, async () => {
      await using resources = new AsyncDisposableStack();
      const stateDir = await temporaryDirectory(resources);
      const link = join(stateDir, 'result');
      make(link);
      await assert.rejects(addIndirectRoot({ stateDir, storeDir }, link, pathOf('x')), { code: 'ERR_STORE' });
      assert.deepEqual(readdirSync(stateDir), ['result']);
    });
  }

  test('is refused in the store', async () => {
    const options = { stateDir: '/nowhere', storeDir };
    await assert.rejects(addIndirectRoot(options, `${full(pathOf('x'))}/result`, pathOf('x')), { code: 'ERR_STORE' });
  });
});

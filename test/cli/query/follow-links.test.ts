import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { followLinksToStore } from '../../../src/cli/query/follow-links.ts';
import { DEFAULT_STORE_DIR, parseStoreDir } from '../../../src/formats/store-path.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

const NAME = '16f3pf70ldgs55c76qqgl7wz19i4fjzg-d';
const PATH = `/nix/store/${NAME}`;

/** Spellings of the same path. */
const SPELLINGS = [PATH, `${PATH}/`, `${PATH}/bin/x`, `/nix//store/./${NAME}`, `/nix/store/x/../${NAME}`];
for (const text of SPELLINGS) {
  test(`${text} names the path`, async () => assert.equal(await followLinksToStore(DEFAULT_STORE_DIR, text), NAME));
}

test('symlinks are followed until they reach the store', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  await mkdir(join(dir, 'sub'));
  await symlink(`${PATH}/share/doc`, join(dir, 'result'));
  await symlink('../result', join(dir, 'sub/again'));
  assert.equal(await followLinksToStore(DEFAULT_STORE_DIR, join(dir, 'sub/again')), NAME);
  assert.equal(await followLinksToStore(DEFAULT_STORE_DIR, relative(process.cwd(), join(dir, 'result'))), NAME);
});

test('what leads elsewhere, or round and round, is refused', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  await symlink('loop', join(dir, 'loop'));
  await symlink('/etc', join(dir, 'elsewhere'));
  for (const name of ['loop', 'elsewhere', 'missing', '']) {
    await assert.rejects(followLinksToStore(DEFAULT_STORE_DIR, join(dir, name)), { code: 'ERR_USAGE' });
  }
  const other = parseStoreDir('/nix/store2');
  await assert.rejects(followLinksToStore(other, PATH), { code: 'ERR_USAGE' });
  await assert.rejects(followLinksToStore(DEFAULT_STORE_DIR, '/nix/store/x'), { code: 'ERR_FORMAT' });
});

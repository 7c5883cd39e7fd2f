import assert from 'node:assert/strict';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { deleteTree } from '../../../src/stores/gc/delete-tree.ts';
import { deleteUnusedLinks } from '../../../src/stores/gc/unused-links.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

describe('deleting a tree', () => {
  test('takes read-only directories and names that are not UTF-8, and follows no symlink', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    const tree = join(dir, 'tree');
    mkdirSync(join(tree, 'a/b'), { recursive: true });
    writeFileSync(Buffer.from(`${tree}/a/\xff\xfe`, 'latin1'), '123');
    writeFileSync(join(tree, 'a/b/ü'), '1234');
    writeFileSync(join(dir, 'outside'), 'stays');
    symlinkSync(dir, join(tree, 'a/b/link'));
    chmodSync(join(tree, 'a/b'), 0o555);
    chmodSync(join(tree, 'a'), 0o555);
    assert.equal(deleteTree(tree, assert.fail), 3 + 4 + dir.length);
    assert.deepEqual(readdirSync(dir), ['outside']);
  });

  test('counts what a file frees: nothing, where more than one other link is left', async () => {
    await using resources = new AsyncDisposableStack();
    const dir = await temporaryDirectory(resources);
    const at = (name: string): string => join(dir, name);
    writeFileSync(at('a'), '12345');
    linkSync(at('a'), at('b'));
    linkSync(at('a'), at('c'));
    assert.deepEqual(
      ['a', 'b', 'c', 'none'].map((name) => deleteTree(at(name), assert.fail)),
      [0, 5, 5, 0],
    );
  });
});

test('unused links are deleted in parts that together are all', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  const links = join(dir, 'links');
  mkdirSync(links);
  for (let index = 0; index < 10; index++) writeFileSync(join(links, String(index)), 'x'.repeat(100));
  for (const copy of ['1', '2', '3']) linkSync(join(links, '4'), join(dir, copy));
  const results = [0, 1, 2].map((part) => deleteUnusedLinks(links, part, 3));
  assert.equal(
    results.reduce((sum, { deleted }) => sum + deleted, 0),
    9,
  );
  assert.equal(
    results.reduce((sum, { saved }) => sum + saved, 0),
    200,
  );
  assert.ok(existsSync(join(links, '4')));
});

import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fsPath } from '../../../src/stores/optimise/byte-path.ts';
import { kindOf, readDirectory, readInodes } from '../../../src/stores/optimise/read-directory.ts';
import { temporaryDirectory } from '../../support/local-store.ts';

test('the entries are those that looking at each of them finds, however many there are', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  const names = Array.from({ length: 3000 }, (_, index) => `a-file-with-a-name-of-some-length-${index}`);
  for (const name of [...names, 'f\xfcr', 'x'.repeat(255)]) writeFileSync(fsPath(`${dir}/${name}`), '');
  mkdirSync(join(dir, 'directory'));
  symlinkSync('nowhere', join(dir, 'symlink'));
  const entries = readDirectory(dir);
  assert.equal(entries.length, names.length + 4);
  for (const { name, inode, kind } of entries) {
    const stats = lstatSync(fsPath(`${dir}/${name}`));
    assert.deepEqual([inode, kind], [stats.ino, kindOf(stats)], name);
  }
});

test('inodes can be read alone, and entries without those of some', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(dir, name), '');
  const inodes = ['a', 'b', 'c', '', '..'].map((name) => lstatSync(join(dir, name)).ino);
  assert.deepEqual(new Set(readInodes(dir)), new Set(inodes));
  const names = readDirectory(dir, new Set([inodes[1]!])).map(({ name }) => name);
  assert.deepEqual(names.sort(), ['a', 'c']);
});

test('an empty directory has no entries, and a missing one is an error', async () => {
  await using resources = new AsyncDisposableStack();
  const dir = await temporaryDirectory(resources);
  assert.deepEqual(readDirectory(dir), []);
  assert.throws(() => readDirectory(`${dir}/missing`), { code: 'ENOENT' });
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashBytes, printDigest } from '../../../src/formats/hash.ts';
import { LinkNamer, linkNameOfSymlink } from '../../../src/stores/optimise/link-name.ts';
import { temporaryDirectory } from '../../support/local-store.ts';
import { file, narOf, type Tree } from '../../support/trees.ts';

const SIZES = [0, 1, 7, 8, 9, 63, 64, 65, 1000, 262_144, 262_145, 600_001];
const nameOf = (tree: Tree): string => printDigest(hashBytes('sha256', narOf(tree)), 'nix32');

test('the name of a file is the hash of its NAR, read from disk or pushed, held or not', async () => {
  await using resources = new AsyncDisposableStack();
  const path = join(await temporaryDirectory(resources), 'file');
  for (const most of [0, 64, undefined]) {
    const namer = new LinkNamer(most);
    for (const size of SIZES) {
      for (const executable of [false, true]) {
        const contents = 'abc'.repeat(size).slice(0, size);
        const expected = nameOf(file(contents, executable));
        writeFileSync(path, contents);
        assert.equal(namer.read(path, executable, size), expected, `${size} bytes read, of which ${most} are held`);
        namer.start(executable, size);
        for (let start = 0; start < size; start += 1000) namer.push(Buffer.from(contents.slice(start, start + 1000)));
        if (namer.held !== undefined) assert.equal(Buffer.from(namer.held).toString(), contents);
        assert.equal(namer.finish(), expected, `${size} bytes pushed, of which ${most} are held`);
      }
    }
  }
});

test('the name of a symlink is the hash of its NAR', () => {
  assert.equal(linkNameOfSymlink('../lib\xff'), nameOf({ type: 'symlink', target: '../lib\xff' }));
});

test('a file that is shorter than it was is an error', async () => {
  await using resources = new AsyncDisposableStack();
  const path = join(await temporaryDirectory(resources), 'file');
  writeFileSync(path, 'short');
  assert.throws(() => new LinkNamer().read(path, false, 10), /became shorter/);
});

import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { NarParser } from '../../src/formats/nar.ts';
import {
  findListing,
  NarLister,
  type NarListing,
  pathNames,
  printNarListingJson,
} from '../../src/formats/nar-listing.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { anyTree, directory, file, narOf, type Tree } from '../support/trees.ts';
import { needsVectors, readJsonVector } from '../support/vectors.ts';

function list(tree: Tree): NarListing {
  const lister = new NarLister();
  const parser = new NarParser(lister);
  parser.push(narOf(tree));
  parser.finish();
  return lister.root;
}

function json(tree: Tree, recursive = true): unknown {
  return JSON.parse(printNarListingJson(list(tree), { recursive }));
}

const TREE = directory({
  bar: directory({ baz: file('#!/bin/sh\nexec cat\n', true), quux: { type: 'symlink', target: '/over/there' } }),
  foo: file('hello, world!!\n'),
});

test('the listing is that of the vectors, but for the offsets, which they have not', needsVectors, async () => {
  const text = printNarListingJson(list(TREE), { recursive: true }).replace(/"narOffset":\d+,/g, '');
  assert.deepEqual(JSON.parse(text), await readJsonVector('nar-listing/deep.json'));
  assert.deepEqual(json(TREE, false), await readJsonVector('nar-listing/shallow.json'));
});

test('the offset of every file is where its contents are', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const nar = narOf(tree).toString('latin1');
      const check = (listing: NarListing, node: Tree): void => {
        if (listing.type === 'regular' && node.type === 'regular') {
          assert.equal(nar.slice(listing.narOffset, listing.narOffset + listing.size), node.contents);
        }
        if (listing.type === 'directory' && node.type === 'directory') {
          for (const [name, entry] of listing.entries) check(entry, node.entries[name]!);
        }
      };
      check(list(tree), tree);
    }),
  );
});

test('the listing is that of stock Nix', { skip: nixMissing }, async () => {
  await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  await writeFile(join(tmp.path, 'nar'), narOf(TREE));
  const nix = await Nix.open(join(tmp.path, 'home'));
  const stock = await nix.output('nix', 'nar', 'ls', '--json', '--recursive', join(tmp.path, 'nar'), '/');
  // Nix 2.8 says nothing of files that are not executable.
  const ours = printNarListingJson(list(TREE), { recursive: true }).replaceAll('"executable":false,', '');
  assert.deepEqual(JSON.parse(ours), JSON.parse(stock));
});

test('names keep their order, and none is special', () => {
  const tree = directory({ 10: file(''), 9: file(''), ['__proto__']: file(''), a: { type: 'symlink', target: 'b' } });
  assert.equal(
    printNarListingJson(list(tree), { recursive: false }),
    '{"entries":{"10":{},"9":{},"__proto__":{},"a":{}},"type":"directory"}',
  );
});

test('names that are no UTF-8 become so', () => {
  const tree = directory({ 'caf\u00c3\u00a9': file(''), 'caf\u00e9': file('') });
  assert.match(printNarListingJson(list(tree), { recursive: false }), /"café":\{\},"caf\ufffd":\{\}/);
});

const FOUND = [
  ['', 'directory'],
  ['/', 'directory'],
  ['/bar', 'directory'],
  ['bar/', 'directory'],
  ['/bar/baz', 'regular'],
  ['/./bar//quux', 'symlink'],
  ['/bar/../foo', 'regular'],
  ['/../foo', 'regular'],
] as const;

for (const [path, type] of FOUND) {
  test(`at '${path}' there is a ${type}`, () => assert.equal(findListing(list(TREE), path)?.type, type));
}

for (const path of ['/nope', '/foo/x', '/bar/quux/x', '/bar/baz/..x', '/toString']) {
  test(`at '${path}' there is nothing`, () => assert.equal(findListing(list(TREE), path), undefined));
}

test('a path is its names, canonical', () => {
  assert.deepEqual(pathNames('/a//b/./c/../d/'), ['a', 'b', 'd']);
  assert.deepEqual(pathNames('../..'), []);
});

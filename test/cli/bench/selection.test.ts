import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { selectPaths } from '../../../src/cli/bench/selection.ts';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';
import { makeObject } from '../../support/store-objects.ts';
import { pathNamed } from '../../support/transfers.ts';
import { file } from '../../support/trees.ts';

const { info: template } = makeObject('template', file(''));

/** `size` is what a store without files of its own says: that of the NAR. */
function info(name: string, size: number, ...references: readonly string[]): [StorePath, PathInfo] {
  const path = pathNamed(name);
  return [path, { ...template, path, narSize: size, references: references.map(pathNamed) }];
}

/** An app that needs a library, which needs a base that refers to itself; and a large one that needs the base. */
const CLOSURE = new Map([
  info('app', 10, 'lib'),
  info('base', 30, 'base'),
  info('large', 1000, 'base'),
  info('lib', 20, 'base'),
]);
const names = (paths: readonly StorePath[]): string[] => paths.map((path) => path.slice(33));

describe('a selection', () => {
  test('without limits is everything, references first', () => {
    const { paths, selected, leftOut, incomplete } = selectPaths(CLOSURE, {});
    assert.deepEqual(names(paths), ['base', 'lib', 'app', 'large']);
    assert.deepEqual(selected, { paths: 4, narBytes: 1060, downloadBytes: 1060 });
    assert.deepEqual([leftOut.paths, incomplete], [0, 0]);
  });

  test('has so many paths at most, and says what it leaves out', () => {
    const { paths, leftOut } = selectPaths(CLOSURE, { paths: 2 });
    assert.deepEqual(names(paths), ['base', 'lib']);
    assert.deepEqual(leftOut, { paths: 2, narBytes: 1010, downloadBytes: 1010 });
  });

  test('has so many bytes at most, and takes small paths after a large one', () => {
    const closure = new Map([...CLOSURE, info('zlib', 5)]);
    const { paths, selected } = selectPaths(closure, { downloadBytes: 70 });
    assert.deepEqual(names(paths), ['base', 'lib', 'app', 'zlib']);
    assert.equal(selected.downloadBytes, 65);
  });

  test('never has a path without what it refers to', () => {
    const { paths } = selectPaths(CLOSURE, { downloadBytes: 29 });
    assert.deepEqual(names(paths), []);
  });

  test('counts what is compressed by the size of its file', () => {
    const [path, plain] = info('packed', 1000);
    const packed = { ...plain, url: 'nar/x.nar.zst', compression: 'zstd', fileHash: undefined, fileSize: 100 };
    const { selected } = selectPaths(new Map([[path, packed]]), { downloadBytes: 100 });
    assert.deepEqual(selected, { paths: 1, narBytes: 1000, downloadBytes: 100 });
  });

  test('leaves out what needs something that the store lacks, and all that needs it', () => {
    const closure = new Map([...CLOSURE, info('broken', 1, 'missing'), info('above', 1, 'broken', 'base')]);
    const { paths, leftOut, incomplete } = selectPaths(closure, {});
    assert.deepEqual(names(paths), ['base', 'lib', 'app', 'large']);
    assert.deepEqual([leftOut.paths, incomplete], [0, 2]);
  });
});

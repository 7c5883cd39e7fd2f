import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findWays } from '../../../src/cli/why-depends/ways.ts';
import type { PathInfo } from '../../../src/formats/path-info.ts';
import type { PathInfos } from '../../../src/formats/references-first.ts';
import type { StorePath } from '../../../src/formats/store-path.ts';

/** By name what each refers to; names stand for paths. */
function graph(references: Readonly<Record<string, string>>): PathInfos {
  const entries = Object.entries(references).map(
    ([path, to]) => [path, { path, references: to.split(' ').filter(Boolean) }] as unknown as [StorePath, PathInfo],
  );
  return new Map(entries);
}
const path = (name: string): StorePath => name as StorePath;

test('the reference that is nearest to the end comes first, and those that do not lead there are left out', () => {
  const infos = graph({ top: 'far near other', far: 'middle', middle: 'near', near: 'end', other: '', end: '' });
  const ways = findWays(path('top'), path('end'), infos)!;
  assert.deepEqual(ways.next(path('top')), ['near', 'far']);
  assert.deepEqual(ways.next(path('end')), []);
});

test('a path that a long way reached first has its shortest distance', () => {
  // Nix 2.8 may keep the distance by the longer way, depending on where nodes lie in memory.
  const infos = graph({ top: 'a b', a: 'c', b: 'd', c: 'd', d: 'end', end: '' });
  assert.deepEqual(findWays(path('top'), path('end'), infos)!.next(path('top')), ['b', 'a']);
});

test('references to itself are no way, unless that is what is asked for', () => {
  const infos = graph({ top: 'top end', end: 'end' });
  assert.deepEqual(findWays(path('top'), path('end'), infos)!.next(path('top')), ['end']);
  assert.deepEqual(findWays(path('end'), path('end'), infos)!.next(path('end')), ['end']);
});

test('where no way leads there is none', () => {
  const infos = graph({ top: 'a', a: '', b: '' });
  assert.equal(findWays(path('top'), path('b'), infos), undefined);
  assert.equal(findWays(path('top'), path('unknown'), infos), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closureOf, queryClosure, referencesFirst } from '../../src/cli/closure.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, type StorePath } from '../../src/formats/store-path.ts';
import { MemoryStore } from '../../src/stores/memory-store.ts';
import { add, makeObject } from '../support/store-objects.ts';
import { pathNamed } from '../support/transfers.ts';
import { file } from '../support/trees.ts';

function graph(references: Readonly<Record<string, readonly string[]>>): Map<StorePath, PathInfo> {
  const infos = Object.entries(references).map(([name, names]) => {
    const path = pathNamed(name);
    const narHash = hashBytes('sha256', name);
    return { path, narHash, narSize: 1, references: names.map(pathNamed).sort(), signatures: [] };
  });
  return new Map(infos.map((info) => [info.path, info]));
}

const names = (paths: readonly StorePath[]): string[] => paths.map((path) => path.slice(33));

test('references come first, and equals in the order of their names', () => {
  const infos = graph({ top: ['b', 'a'], a: ['base'], b: ['base'], base: [] });
  assert.deepEqual(names(referencesFirst([...infos.keys()], infos, () => true)), ['base', 'a', 'b', 'top']);
  assert.deepEqual(names(referencesFirst([pathNamed('top')], infos, () => true)), ['base', 'a', 'b', 'top']);
});

test('what refers to itself, or in a circle, comes once', () => {
  const infos = graph({ self: ['self'], ping: ['pong'], pong: ['ping'] });
  assert.deepEqual(names(referencesFirst([...infos.keys()], infos, () => true)), ['pong', 'ping', 'self']);
});

test('only members are followed', () => {
  const infos = graph({ top: ['a'], a: ['base'], base: [] });
  assert.deepEqual(names(referencesFirst([pathNamed('top')], infos, () => false)), ['top']);
});

test('a chain may be as long as it likes', () => {
  const length = 50_000;
  const infos = graph(
    Object.fromEntries(Array.from({ length }, (_, index) => [`p${index}`, index === 0 ? [] : [`p${index - 1}`]])),
  );
  assert.equal(closureOf(pathNamed(`p${length - 1}`), infos).length, length);
});

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

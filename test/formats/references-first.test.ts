import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashBytes } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { referencesFirst } from '../../src/formats/references-first.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import { pathNamed } from '../support/transfers.ts';

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
  assert.equal(referencesFirst([pathNamed(`p${length - 1}`)], infos, () => true).length, length);
});

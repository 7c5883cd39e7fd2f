import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeMissing, missingToJson } from '../../src/cli/missing.ts';
import { DEFAULT_STORE_DIR, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { MissingPaths } from '../../src/scheduler/query-missing.ts';

const path = (digit: string, name: string): StorePath => parseBaseName(`${digit.repeat(32)}-${name}`);
const shown = (digit: string, name: string): string => `/nix/store/${digit.repeat(32)}-${name}`;

const NOTHING: MissingPaths = { willBuild: [], willSubstitute: [], unknown: [], downloadSize: 0, narSize: 0 };

function fetching(...paths: readonly StorePath[]): MissingPaths {
  const willSubstitute = paths.map((each) => ({
    path: each,
    substituter: 'https://a',
    narSize: 3 * 2 ** 20,
    downloadSize: 2 ** 20,
  }));
  return { ...NOTHING, willSubstitute, narSize: paths.length * 3 * 2 ** 20, downloadSize: paths.length * 2 ** 20 };
}

const describe = (missing: MissingPaths): string[] => describeMissing(missing, DEFAULT_STORE_DIR).split('\n');

test('nothing is said where nothing is missing', () => assert.deepEqual(describe(NOTHING), ['']));

test('one path is told as one', () => {
  assert.deepEqual(describe(fetching(path('1', 'a'))), [
    'this path will be fetched (1.00 MiB download, 3.00 MiB unpacked):',
    `  ${shown('1', 'a')}`,
  ]);
});

test('several are sorted by name, and where that is the same by hash', () => {
  assert.deepEqual(describe(fetching(path('0', 'b'), path('1', 'a-b'), path('2', 'a'), path('3', 'a'))), [
    'these 4 paths will be fetched (4.00 MiB download, 12.00 MiB unpacked):',
    ...[shown('2', 'a'), shown('3', 'a'), shown('1', 'a-b'), shown('0', 'b')].map((line) => `  ${line}`),
  ]);
});

test('what nobody has comes last, as it is', () => {
  assert.deepEqual(describe({ ...fetching(path('1', 'a')), unknown: [path('0', 'z'), path('2', 'y')] }).slice(2), [
    "don't know how to build these paths:",
    `  ${shown('0', 'z')}`,
    `  ${shown('2', 'y')}`,
  ]);
});

test('JSON has full paths, and sizes in bytes', () => {
  assert.deepEqual(missingToJson({ ...fetching(path('1', 'a')), unknown: [path('0', 'z')] }, DEFAULT_STORE_DIR), {
    willBuild: [],
    willSubstitute: [{ path: shown('1', 'a'), substituter: 'https://a', narSize: 3 * 2 ** 20, downloadSize: 2 ** 20 }],
    unknown: [shown('0', 'z')],
    downloadSize: 2 ** 20,
    narSize: 3 * 2 ** 20,
  });
});

test('what would be built comes first, in the order in which it would be', () => {
  const built = { ...fetching(path('1', 'a')), willBuild: [path('3', 'lib.drv'), path('2', 'app.drv')] };
  assert.deepEqual(describe(built).slice(0, 4), [
    'these 2 derivations will be built:',
    `  ${shown('3', 'lib.drv')}`,
    `  ${shown('2', 'app.drv')}`,
    'this path will be fetched (1.00 MiB download, 3.00 MiB unpacked):',
  ]);
});

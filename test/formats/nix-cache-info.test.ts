import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { MAX_NIX_CACHE_INFO_SIZE, parseNixCacheInfo, printNixCacheInfo } from '../../src/formats/nix-cache-info.ts';
import { DEFAULT_STORE_DIR, parseStoreDir } from '../../src/formats/store-path.ts';
import { anyStoreDir } from '../support/arbitraries.ts';

const NOTHING = { storeDir: undefined, wantMassQuery: false, priority: undefined };

const SPELLINGS = [
  ['what `nix copy` of Nix 2.8 writes', 'StoreDir: /nix/store\n', { ...NOTHING, storeDir: DEFAULT_STORE_DIR }],
  [
    'what cache.nixos.org has',
    'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n',
    { storeDir: DEFAULT_STORE_DIR, wantMassQuery: true, priority: 40 },
  ],
  ['nothing', '', NOTHING],
  ['a priority below zero', 'Priority: -1\n', { ...NOTHING, priority: -1 }],
] as const;

const READ = [
  ['lines that end as on Windows', 'StoreDir: /a\r\nPriority: 3\r\n', { storeDir: parseStoreDir('/a'), priority: 3 }],
  ['no newline at the end', 'Priority: 3', { priority: 3 }],
  ['no space after the colon', 'Priority:3\n', { priority: 3 }],
  ['fields that Nix has not, and lines without any', 'X: 1\n\nhello\n: 2\nWantMassQuery: 1\n', { wantMassQuery: true }],
  ['another answer than 1 about mass queries', 'WantMassQuery: yes\n', {}],
] as const;

const REJECTED = [
  ['StoreDir: nix/store\n', 'a relative store directory'],
  ['StoreDir:\n', 'an empty store directory'],
  ['Priority: high\n', 'a priority that is no number'],
  ['Priority: 1.5\n', 'a priority that is no whole number'],
  ['Priority: 99999999999\n', 'a priority of eleven digits'],
  ['x'.repeat(MAX_NIX_CACHE_INFO_SIZE + 1), 'a file beyond the limit'],
] as const;

describe('nix-cache-info', () => {
  for (const [what, text, info] of SPELLINGS) {
    test(`spells ${what}`, () => {
      assert.equal(printNixCacheInfo(info), text);
      assert.deepEqual(parseNixCacheInfo(text), info);
    });
  }
  for (const [what, text, info] of READ) {
    test(`may have ${what}`, () => assert.deepEqual(parseNixCacheInfo(text), { ...NOTHING, ...info }));
  }
  for (const [text, why] of REJECTED) {
    test(`rejects ${why}`, () => assert.throws(() => parseNixCacheInfo(text), FormatError));
  }

  test('is read back as printed', () => {
    const anyInfo = fc.record(
      {
        storeDir: fc.option(anyStoreDir, { nil: undefined }),
        wantMassQuery: fc.boolean(),
        priority: fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: undefined }),
      },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(anyInfo, (info) => assert.deepEqual(parseNixCacheInfo(printNixCacheInfo(info)), info)));
  });
});

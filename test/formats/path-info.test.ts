import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { contentAddressedPath, parseContentAddress } from '../../src/formats/content-address.ts';
import { hashBytes, parseHash } from '../../src/formats/hash.ts';
import {
  fingerprint,
  isContentAddressed,
  PATH_INFO_JSON_FORMATS,
  type PathInfo,
  toPathInfoJson,
} from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, parseBaseName, parseStoreDir } from '../../src/formats/store-path.ts';
import { anyContentAddress, anyName, anyStoreDir, anyStorePath } from '../support/arbitraries.ts';
import { needsVectors, readJsonVector } from '../support/vectors.ts';

const EXAMPLE_STORE = parseStoreDir('/example/store');

/** From `nix store make-content-addressed` and `nix path-info --json` of Nix 2.8, with NIX_STORE_DIR=/example/store. */
const SELF: PathInfo = {
  path: parseBaseName('b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self'),
  narHash: parseHash('sha256:04alx6m7qqxdq2fi8aia97069js0gqy69c776abip3dhn78ggf11'),
  narSize: 224,
  references: ['61rlszfqja38z9m5dsmnpkxccqb6y871-dep', 'b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self'].map(parseBaseName),
  signatures: [],
  contentAddress: parseContentAddress('fixed:r:sha256:0n33ikhffy1jb8vh1r4dfp9cxnp7r39rn1ivpml8672dqgy3aidl'),
};

describe('path info', () => {
  test('is signed as path, hash, size and references', () => {
    // Checked with a signature by Nix 2.8 in signature.test.ts.
    assert.equal(
      fingerprint(EXAMPLE_STORE, SELF),
      '1;/example/store/b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self;' +
        'sha256:04alx6m7qqxdq2fi8aia97069js0gqy69c776abip3dhn78ggf11;224;' +
        '/example/store/61rlszfqja38z9m5dsmnpkxccqb6y871-dep,/example/store/b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self',
    );
  });

  test('without references is signed with an empty last field', () => {
    assert.match(fingerprint(EXAMPLE_STORE, { ...SELF, references: [] }), /;224;$/);
  });

  test('without a size is not signed', () => {
    assert.throws(() => fingerprint(EXAMPLE_STORE, { ...SELF, narSize: 0 }), FormatError);
  });
});

describe('a path is content-addressed', () => {
  test('when its content address gives it', () => assert.ok(isContentAddressed(EXAMPLE_STORE, SELF)));

  const CLAIMS: [why: string, storeDir: typeof EXAMPLE_STORE, change: Partial<PathInfo>][] = [
    ['it has no content address', EXAMPLE_STORE, { contentAddress: undefined }],
    ['it is in another store directory', DEFAULT_STORE_DIR, {}],
    ['its name is another', EXAMPLE_STORE, { path: parseBaseName(`${SELF.path}2`) }],
    ['it lacks a reference', EXAMPLE_STORE, { references: SELF.references.slice(1) }],
    ['it lacks the reference to itself', EXAMPLE_STORE, { references: SELF.references.slice(0, 1) }],
    [
      'the method allows no references',
      EXAMPLE_STORE,
      { contentAddress: { method: 'flat', hash: hashBytes('sha256', '') } },
    ],
    [
      'it is a text that refers to itself',
      EXAMPLE_STORE,
      { contentAddress: { method: 'text', hash: hashBytes('sha256', '') } },
    ],
  ];
  for (const [why, storeDir, change] of CLAIMS) {
    test(`but not when ${why}`, () => assert.ok(!isContentAddressed(storeDir, { ...SELF, ...change })));
  }

  test('whatever the content address', () => {
    fc.assert(
      fc.property(anyStoreDir, anyName, anyContentAddress, anyStorePath, (storeDir, name, contentAddress, other) => {
        fc.pre(contentAddress.method !== 'git' || ['sha1', 'sha256'].includes(contentAddress.hash.algorithm));
        const path = contentAddressedPath(storeDir, name, contentAddress, []);
        assert.ok(isContentAddressed(storeDir, { ...SELF, path, contentAddress, references: [] }));
        assert.ok(!isContentAddressed(storeDir, { ...SELF, path, contentAddress, references: [other] }));
      }),
    );
  });
});

describe("path info has upstream's JSON", needsVectors, () => {
  /** From libstore-tests/path-info.cc. */
  const narHash = parseHash('sha256-FePFYIlMuycIXPZbWi7LGEiMmZSX9FMbaQenWBzm1Sc=');
  const contentAddress = { method: 'nar', hash: hashBytes('sha256', '(...)') } as const;
  const bar = parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar');
  const path = contentAddressedPath(DEFAULT_STORE_DIR, 'foo', contentAddress, [bar], true);
  const empty: PathInfo = { path, narHash, narSize: 0, references: [], signatures: [] };
  const full: PathInfo = {
    path,
    narHash,
    narSize: 34878,
    references: [bar, path],
    contentAddress,
    deriver: parseBaseName('g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv'),
    registrationTime: 23423,
    ultimate: true,
    signatures: ['asdf', 'qwer'].map((name) => `${name}:${Buffer.alloc(64).toString('base64')}`),
  };

  for (const format of PATH_INFO_JSON_FORMATS) {
    for (const [file, info] of [
      ['impure', full],
      ['empty_impure', empty],
    ] as const) {
      test(`path-info/json-${format}/${file}.json`, async () => {
        const expected = await readJsonVector(`path-info/json-${format}/${file}.json`);
        assert.deepEqual(toPathInfoJson(DEFAULT_STORE_DIR, info, format), expected);
      });
    }
    // What upstream calls pure is the same less what does not follow from the store object.
    for (const [file, info] of [
      ['pure', full],
      ['empty_pure', empty],
      ...(format === 1 ? [['pure_noversion', full] as const] : []),
    ] as const) {
      test(`path-info/json-${format}/${file}.json`, async () => {
        const expected = Object(await readJsonVector(`path-info/json-${format}/${file}.json`));
        const json = Object.entries(toPathInfoJson(DEFAULT_STORE_DIR, info, format));
        assert.deepEqual(Object.fromEntries(json.filter(([key]) => key in expected)), expected);
      });
    }
  }
});

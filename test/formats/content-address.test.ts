import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { contentAddressedPath, parseContentAddress, printContentAddress } from '../../src/formats/content-address.ts';
import { hashBytes, printHash } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseBaseName, parseStoreDir } from '../../src/formats/store-path.ts';
import { anyContentAddress } from '../support/arbitraries.ts';
import { needsVectors, readJsonVector } from '../support/vectors.ts';

const NIX32 = '00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq';
const HELLO = hashBytes('sha256', 'hello\n');

/** As `nix path-info --json` of Nix 2.8 has them after `nix store add-path` and `add-file`; Git is of 2.35. */
const SPELLINGS = [
  ['text', `text:sha256:${NIX32}`],
  ['flat', `fixed:sha256:${NIX32}`],
  ['nar', `fixed:r:sha256:${NIX32}`],
  ['git', `fixed:git:sha256:${NIX32}`],
] as const;

const REJECTED = [
  ['', 'nothing'],
  ['fixed', 'a method alone'],
  [`sha256:${NIX32}`, 'a hash without a method'],
  [`r:sha256:${NIX32}`, 'a method without fixed'],
  [`fixed:x:sha256:${NIX32}`, 'a method that Nix has not'],
  [`fixed:r:r:sha256:${NIX32}`, 'a method named twice'],
  [`text:r:sha256:${NIX32}`, 'text with another method'],
  [`text:sha1:${'0'.repeat(40)}`, 'text with another algorithm than sha256'],
  [`fixed:sha3:${NIX32}`, 'an unknown algorithm'],
  [`fixed:${NIX32}`, 'no algorithm'],
  ['fixed:r:sha256:', 'no digits'],
  [`fixed:r:sha256-${printHash(HELLO, 'base64').slice(7)}`, 'an SRI hash'],
  [`fixed:sha256:${printHash(HELLO, 'sri')}`, 'an SRI hash after the algorithm'],
  [`fixed:r:sha256:${NIX32} `, 'a space after'],
] as const;

describe('a content address', () => {
  for (const [method, text] of SPELLINGS) {
    test(`of ${method} is spelled ${text.replace(NIX32, '…')}`, () => {
      assert.equal(printContentAddress({ method, hash: HELLO }), text);
      assert.deepEqual(parseContentAddress(text), { method, hash: HELLO });
    });
  }

  for (const [text, why] of REJECTED) {
    test(`rejects ${why}`, () => assert.throws(() => parseContentAddress(text), FormatError));
  }

  test('may have its hash in any encoding with a colon', () => {
    for (const encoding of ['base16', 'base64'] as const) {
      assert.deepEqual(parseContentAddress(`fixed:${printHash(HELLO, encoding)}`), { method: 'flat', hash: HELLO });
    }
  });

  test('is read back as printed', () => {
    fc.assert(
      fc.property(anyContentAddress, (contentAddress) => {
        assert.deepEqual(parseContentAddress(printContentAddress(contentAddress)), contentAddress);
      }),
    );
  });

  test('gives the path of a file', () => {
    // From `nix store add-file hello.txt` of Nix 2.8.
    const path = contentAddressedPath(DEFAULT_STORE_DIR, 'hello.txt', { method: 'flat', hash: HELLO }, []);
    assert.equal(path, 'gy454w1cxaq731grqwylhzf4pp9r5izh-hello.txt');
  });

  test('gives the path of a directory', () => {
    // From `nix store add-path tree` of Nix 2.8, with the file `a` in it.
    const contentAddress = parseContentAddress('fixed:r:sha256:18l2zj8v9v7ywhnxhbvn50dldj0h6nzfi1nii2xd79nkj6ivx2cm');
    const path = contentAddressedPath(DEFAULT_STORE_DIR, 'tree', contentAddress, []);
    assert.equal(path, '0jxpcd0q2vdpq68c7ak39qkm0r4dbjpc-tree');
  });

  test('gives the path of a derivation, with references', () => {
    // From `nix path-info --json` of Nix 2.8 after `nix-instantiate`, with NIX_STORE_DIR=/tmp/fmt/s.
    const contentAddress = parseContentAddress('text:sha256:0l8h76ahq9gmw7y614xiwi530dj9nqrfw0j1bk1zmbxzf2kbynxa');
    const references = [parseBaseName('93kscbm33y32lij2f1w6j1sghc4j5nlp-dep.drv')];
    const path = contentAddressedPath(parseStoreDir('/tmp/fmt/s'), 'self.drv', contentAddress, references);
    assert.equal(path, '258abvdzrk1qmig5dc15dvxnjhdk8y71-self.drv');
  });

  test('gives the path of an object that refers to itself', () => {
    // From `nix store make-content-addressed` of Nix 2.8, with NIX_STORE_DIR=/example/store.
    const contentAddress = parseContentAddress('fixed:r:sha256:0n33ikhffy1jb8vh1r4dfp9cxnp7r39rn1ivpml8672dqgy3aidl');
    const references = [parseBaseName('61rlszfqja38z9m5dsmnpkxccqb6y871-dep')];
    const path = contentAddressedPath(parseStoreDir('/example/store'), 'self', contentAddress, references, true);
    assert.equal(path, 'b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self');
  });

  test('of a text allows no reference to itself', () => {
    const contentAddress = { method: 'text', hash: HELLO } as const;
    assert.throws(() => contentAddressedPath(DEFAULT_STORE_DIR, 'x', contentAddress, [], true), FormatError);
  });

  describe("is spelled in parts as in upstream's JSON", needsVectors, () => {
    /** From libstore-tests/content-address.cc. */
    for (const [method, content] of [
      ['text', 'asdf'],
      ['nar', 'qwer'],
    ] as const) {
      test(`content-address/${method}.json`, async () => {
        const hash = printHash(hashBytes('sha256', content), 'sri');
        assert.deepEqual(await readJsonVector(`content-address/${method}.json`), { method, hash });
      });
    }
  });
});

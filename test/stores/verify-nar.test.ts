import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContentAddress } from '../../src/formats/content-address.ts';
import { hashBytes } from '../../src/formats/hash.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import { verifyNar } from '../../src/stores/verify-nar.ts';
import { collect, makeObject, narSource } from '../support/store-objects.ts';
import { directory, file, type Tree } from '../support/trees.ts';

const { info, nar } = makeObject('app', file('contents\n'));
const plain: PathInfo = { ...info, contentAddress: undefined };

const verify = (claimed: PathInfo, bytes: Uint8Array, chunkSize = 10): Promise<Buffer> =>
  collect(verifyNar(DEFAULT_STORE_DIR, claimed, narSource(bytes, chunkSize)));

const flipped = Buffer.from(nar);
flipped[100]! ^= 1;

const REJECTED = [
  ['a byte that was changed', flipped],
  ['one byte less', nar.subarray(0, -1)],
  ['one byte more', Buffer.concat([nar, Buffer.alloc(1)])],
  ['nothing', Buffer.alloc(0)],
] as const;

describe('the check of a NAR', () => {
  test('passes the bytes on as they are', async () => assert.deepEqual(await verify(plain, nar), nar));

  for (const [what, bytes] of REJECTED) {
    test(`rejects ${what}, and names the path`, async () => {
      await assert.rejects(verify(plain, bytes), {
        code: 'ERR_HASH_MISMATCH',
        message: /NAR of '\/nix\/store\/.*-app'/,
      });
    });
  }

  test('cuts off what goes on past its size: the chunk that is too much reaches nobody', async () => {
    let passed = 0;
    const endless = verifyNar(DEFAULT_STORE_DIR, plain, async (sink) => {
      for (;;) await sink(Buffer.alloc(50));
    });
    await assert.rejects(
      endless((chunk) => {
        passed += chunk.length;
      }),
      { code: 'ERR_HASH_MISMATCH', message: /more/ },
    );
    assert.ok(passed <= plain.narSize);
  });

  const sha1 = (bytes: string): ContentAddress['hash'] => hashBytes('sha1', bytes);
  const ADDRESSES: readonly [string, Tree, ContentAddress, boolean][] = [
    ['a flat one that is right', file('x'), { method: 'flat', hash: sha1('x') }, true],
    ['a flat one that is wrong', file('x'), { method: 'flat', hash: sha1('y') }, false],
    ['a text that is right', file('x'), { method: 'text', hash: hashBytes('sha256', 'x') }, true],
    ['a text that is wrong', file('x'), { method: 'text', hash: hashBytes('sha256', 'y') }, false],
    ['a flat one of a directory', directory({}), { method: 'flat', hash: sha1('') }, false],
    ['a flat one of a symlink', { type: 'symlink', target: 'x' }, { method: 'flat', hash: sha1('x') }, false],
    ['a flat one of an executable', file('x', true), { method: 'flat', hash: sha1('x') }, false],
    ['that of another NAR', file('x'), { method: 'nar', hash: sha1('x') }, false],
  ];
  for (const [what, tree, contentAddress, right] of ADDRESSES) {
    test(`${right ? 'accepts' : 'rejects'} a content address: ${what}`, async () => {
      const object = makeObject('app', tree);
      const verified = verify({ ...object.info, contentAddress }, object.nar);
      if (right) await verified;
      else await assert.rejects(verified, ({ code }) => ['ERR_HASH_MISMATCH', 'ERR_FORMAT'].includes(code));
    });
  }

  test('accepts the content address of a NAR by another algorithm', async () => {
    const contentAddress: ContentAddress = { method: 'nar', hash: hashBytes('sha1', nar) };
    await verify({ ...info, contentAddress }, nar);
  });
});

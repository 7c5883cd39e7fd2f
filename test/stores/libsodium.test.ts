import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  makeSecretKey,
  type PublicKey,
  publicKeyOf,
  sign,
  type VerifyDetached,
  verifyByOpenSsl,
  verifySignature,
} from '../../src/formats/signature.ts';
import { loadVerify } from '../../src/stores/libsodium.ts';
import { loadLibrary } from '../../src/stores/native.ts';

const hasSodium = loadLibrary('sodium', { sodium_init: 'int sodium_init()' }) !== undefined;
const needsSodium = { skip: hasSodium ? false : 'there is no libsodium' };

/** The two that there are; where there is no libsodium both are OpenSSL. */
const VERIFIERS: readonly VerifyDetached[] = [loadVerify(), verifyByOpenSsl];

const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');

/** RFC 8032, section 7.1: TEST 1, TEST 2 and TEST 3. */
const VECTORS = [
  {
    key: hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
    message: hex(''),
    signature: hex(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ),
  },
  {
    key: hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'),
    message: hex('72'),
    signature: hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
  },
  {
    key: hex('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'),
    message: hex('af82'),
    signature: hex(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ),
  },
] as const;

const keyNamed = (key: Uint8Array): PublicKey => ({ name: 'k', key });
const [first, second] = VECTORS;

/** The second half of a signature is a number; with the order of the group added it would do as well, were it allowed. */
function addOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const digits = scalar.toString(16).padStart(64, '0');
  return Buffer.concat([signature.subarray(0, 32), hex(digits).reverse()]);
}

function flipBit(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

const FORGED = [
  ['of another message', first.message, second.signature, second.key],
  ['by another key', second.message, second.signature, first.key],
  ['with a bit changed in its first half', second.message, flipBit(second.signature, 3), second.key],
  ['with a bit changed in its second half', second.message, flipBit(second.signature, 300), second.key],
  ['whose number is too large', second.message, addOrder(second.signature), second.key],
  ['of zeros', second.message, Buffer.alloc(64), second.key],
  ['by a key that is none', second.message, second.signature, Buffer.alloc(32, 0xff)],
] as const;

/** What verifies where the machine has no libsodium: a copy of the module that knows nothing yet. */
async function loadWithoutSodium({ mock }: TestContext): Promise<VerifyDetached> {
  mock.property(process, 'platform', 'aix');
  const module = '../../src/stores/libsodium.ts?without';
  return (await import(module)).loadVerify();
}

describe('verifying with libsodium', () => {
  test('is what is done where there is one', needsSodium, () => {
    assert.notEqual(loadVerify(), verifyByOpenSsl);
    assert.equal(loadVerify(), loadVerify());
    assert.equal(loadVerify()(first.message, first.signature, keyNamed(first.key)), true, 'at once, without a promise');
  });

  test('is left to OpenSSL where there is none', async (context) => {
    assert.equal(await loadWithoutSodium(context), verifyByOpenSsl);
  });

  for (const [index, { key, message, signature }] of VECTORS.entries()) {
    test(`accepts test ${index + 1} of RFC 8032, as OpenSSL does`, async () => {
      for (const verify of VERIFIERS) assert.equal(await verify(message, signature, keyNamed(key)), true);
    });
  }

  for (const [what, message, signature, key] of FORGED) {
    test(`refuses a signature ${what}, as OpenSSL does`, async () => {
      for (const verify of VERIFIERS) assert.equal(await verify(message, signature, keyNamed(key)), false);
    });
  }

  test('never sees a signature that is too short or too long', async () => {
    const { key, signature } = first;
    const keys = new Map([['k', keyNamed(key)]]);
    for (const verify of VERIFIERS) {
      const check = (bytes: Uint8Array): Promise<boolean> =>
        verifySignature('', `k:${Buffer.from(bytes).toString('base64')}`, keys, verify);
      assert.equal(await check(signature), true);
      for (const length of [0, 1, 32, 63]) assert.equal(await check(signature.subarray(0, length)), false);
      assert.equal(await check(Buffer.concat([signature, Buffer.alloc(1)])), false);
    }
  });

  test('agrees with OpenSSL on any text, any key, and any bit that is changed', async () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const change = fc.option(fc.nat(64 * 8 - 1));
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 500 }), seed, change, async (text, bytes, bit) => {
        const secretKey = await makeSecretKey('k', bytes);
        const made = Buffer.from((await sign(secretKey, text)).slice('k:'.length), 'base64');
        const signature = bit === null ? made : flipBit(made, bit);
        for (const verify of VERIFIERS) {
          assert.equal(await verify(Buffer.from(text), signature, publicKeyOf(secretKey)), bit === null);
        }
      }),
      { numRuns: 40 },
    );
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/errors.ts';
import { parseNarInfo } from '../../src/formats/narinfo.ts';
import { fingerprint } from '../../src/formats/path-info.ts';
import {
  makeSecretKey,
  parsePublicKey,
  parseSecretKey,
  printPublicKey,
  printSecretKey,
  publicKeyMap,
  publicKeyOf,
  sign,
  verifySignature,
} from '../../src/formats/signature.ts';
import { parseStoreDir } from '../../src/formats/store-path.ts';

/** From `nix-store --generate-binary-cache-key example-1 …` of Nix 2.8; made for this test, trusted by nobody. */
const SECRET_KEY = 'example-1:GfW9V+2J/liI7HwxVuDp7L3dX/d8RywHwedTgcnuRrOC8lmvk1WLsL3106plEiYb4+YYY8aT2gpqNDqAU9LWjQ==';
const PUBLIC_KEY = 'example-1:gvJZr5NVi7C99dOqZRImG+PmGGPGk9oKajQ6gFPS1o0=';
const SECRET_DIGITS = SECRET_KEY.slice('example-1:'.length);

/** From `nix copy --to file://…` of Nix 2.8, with NIX_STORE_DIR=/example/store and the key above. */
const SIGNED = parseNarInfo(
  parseStoreDir('/example/store'),
  `StorePath: /example/store/b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self
URL: nar/1187wjsn8yg6zzcr59ldbr23i7ibmmv3ypxy8a9cq22rf8j148c5.nar.xz
Compression: xz
FileHash: sha256:1187wjsn8yg6zzcr59ldbr23i7ibmmv3ypxy8a9cq22rf8j148c5
FileSize: 212
NarHash: sha256:04alx6m7qqxdq2fi8aia97069js0gqy69c776abip3dhn78ggf11
NarSize: 224
References: 61rlszfqja38z9m5dsmnpkxccqb6y871-dep b70m2rlbiwpa956m7zbqd7hmb5s5iln2-self
Sig: example-1:UTbddm4t91LV2NNRYF7MjZph/bsn/NECxEJZ77TZycZ9Cj5H7x9DtHWFPYdIoM6p+4vzrkgLoO/sEEGFoVqtCg==
CA: fixed:r:sha256:0n33ikhffy1jb8vh1r4dfp9cxnp7r39rn1ivpml8672dqgy3aidl
`,
);
const TEXT = fingerprint(parseStoreDir('/example/store'), SIGNED);
const SIGNATURE = SIGNED.signatures[0]!;
const KEYS = publicKeyMap([PUBLIC_KEY]);

describe('a signature', () => {
  test('by Nix is made again, byte for byte', async () => {
    assert.equal(await sign(parseSecretKey(SECRET_KEY), TEXT), SIGNATURE);
  });

  test('by Nix is accepted with its key', async () => {
    assert.equal(await verifySignature(TEXT, SIGNATURE, KEYS), true);
  });

  test('by cache.nixos.org is accepted with its key', async () => {
    // The fingerprint and the signature of this path's narinfo there.
    const text =
      '1;/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin;' +
      'sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;' +
      '/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0,' +
      '/nix/store/6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115,' +
      '/nix/store/j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12,' +
      '/nix/store/yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n';
    const keys = publicKeyMap(['cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=']);
    const signature =
      'cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==';
    assert.equal(await verifySignature(text, signature, keys), true);
  });

  const digits = SIGNATURE.slice('example-1:'.length);
  const REJECTED = [
    [`${TEXT} `, SIGNATURE, 'of another text'],
    [TEXT, `example-2:${digits}`, 'by a key that is not known'],
    [TEXT, `example-1:V${digits.slice(1)}`, 'with a bit changed'],
    [TEXT, `example-1:${digits.slice(4)}`, 'that is too short'],
    [TEXT, `example-1:AAAA${digits}`, 'that is too long'],
    [TEXT, `example-1:${digits.slice(0, -2)}`, 'without padding'],
    [TEXT, digits, 'without a name'],
    [TEXT, `:${digits}`, 'with an empty name'],
    [TEXT, 'example-1:', 'without digits'],
    [TEXT, '', 'of no characters'],
  ] as const;
  for (const [text, signature, why] of REJECTED) {
    test(`${why} is not accepted`, async () => assert.equal(await verifySignature(text, signature, KEYS), false));
  }

  test('of any text by any key is accepted, but by no other key', async () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), seed, async (text, bytes) => {
        const secretKey = await makeSecretKey('k', bytes);
        const signature = await sign(secretKey, text);
        const publicKey = publicKeyOf(secretKey);
        assert.equal(await verifySignature(text, signature, new Map([['k', publicKey]])), true);
        const other = { name: 'k', key: parsePublicKey(PUBLIC_KEY).key };
        assert.equal(await verifySignature(text, signature, new Map([['k', other]])), false);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a key', () => {
  test('is read and printed as Nix spells it', () => {
    assert.equal(printPublicKey(parsePublicKey(PUBLIC_KEY)), PUBLIC_KEY);
    assert.equal(printSecretKey(parseSecretKey(SECRET_KEY)), SECRET_KEY);
  });

  test('may have white space around it, as files have', () => {
    assert.equal(printSecretKey(parseSecretKey(` ${SECRET_KEY}\n`)), SECRET_KEY);
    assert.equal(printPublicKey(parsePublicKey(`${PUBLIC_KEY}\r\n`)), PUBLIC_KEY);
  });

  test('that is secret holds the public one', () => {
    assert.equal(printPublicKey(publicKeyOf(parseSecretKey(SECRET_KEY))), PUBLIC_KEY);
  });

  test('follows from its seed', async () => {
    const { name, key } = parseSecretKey(SECRET_KEY);
    assert.equal(printSecretKey(await makeSecretKey(name, key.slice(0, 32))), SECRET_KEY);
  });

  test('is not made with a name that could not be read back', async () => {
    for (const name of ['', 'a:b', 'a b', 'a\n']) {
      await assert.rejects(makeSecretKey(name, new Uint8Array(32)), FormatError);
    }
  });

  const BAD_PUBLIC_KEYS = [
    ['', 'nothing'],
    [PUBLIC_KEY.slice('example-1:'.length), 'digits without a name'],
    [PUBLIC_KEY.slice('example-1'.length), 'an empty name'],
    ['example-1:', 'a name without digits'],
    [SECRET_KEY.replace('example-1:', 'example-1:example-1:'), 'two names'],
    [`${PUBLIC_KEY} ${PUBLIC_KEY}`, 'two keys'],
    [PUBLIC_KEY.slice(0, -1), 'no padding'],
    ['example-1:AAAA', 'too few bytes'],
  ] as const;
  for (const [text, why] of BAD_PUBLIC_KEYS) {
    test(`that is public rejects ${why}`, () => assert.throws(() => parsePublicKey(text), FormatError));
  }

  const BAD_SECRET_KEYS = [
    [SECRET_DIGITS, 'digits without a name'],
    [`:${SECRET_DIGITS}`, 'an empty name'],
    [`${SECRET_DIGITS}:example-1`, 'name and digits the wrong way round'],
    [SECRET_KEY.slice(0, -1), 'no padding'],
    [SECRET_KEY.slice(0, -4), 'too few bytes'],
    [`${SECRET_KEY}\n${SECRET_KEY}`, 'two keys'],
  ] as const;
  for (const [text, why] of BAD_SECRET_KEYS) {
    test(`that is secret rejects ${why}, and keeps it to itself`, () => {
      assert.throws(
        () => parseSecretKey(text),
        (error) => {
          assert.ok(error instanceof FormatError);
          const said = `${error.message} ${error.hint} ${error.stack} ${String(error.cause)}`;
          assert.ok(!said.includes(SECRET_DIGITS.slice(0, 8)), said);
          return true;
        },
      );
    });
  }

  test('counts by its name, the first of two', () => {
    const other = 'example-1:cw+mN1Pwe/vgCzmHpPmPhxrKNtNgVcL+heO2Ep3x3V8=';
    const keys = publicKeyMap([PUBLIC_KEY, other, other.replace('-1', '-2')]);
    assert.deepEqual([...keys.keys()].sort(), ['example-1', 'example-2']);
    assert.deepEqual(keys.get('example-1'), parsePublicKey(PUBLIC_KEY));
  });

  test('is read back as printed', () => {
    const anyKeyName = fc.string({ minLength: 1 }).filter((name) => /^[^:\s]+$/.test(name));
    const size = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(anyKeyName, size(32), size(64), (name, key, secret) => {
        assert.deepEqual(parsePublicKey(printPublicKey({ name, key })), { name, key });
        assert.deepEqual(parseSecretKey(printSecretKey({ name, key: secret })), { name, key: secret });
      }),
    );
  });
});

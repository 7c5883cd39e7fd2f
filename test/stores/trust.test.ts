import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContentAddress } from '../../src/formats/content-address.ts';
import { contentAddressedPath } from '../../src/formats/content-address.ts';
import { parseHash } from '../../src/formats/hash.ts';
import { fingerprint, type PathInfo } from '../../src/formats/path-info.ts';
import { makeSecretKey, printPublicKey, publicKeyOf, type SecretKey, sign } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, parseBaseName } from '../../src/formats/store-path.ts';
import { Trust, type Voucher } from '../../src/stores/trust.ts';

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const trusted = await makeSecretKey('trusted-1', seed(1));
const impostor = await makeSecretKey('trusted-1', seed(2));
const stranger = await makeSecretKey('stranger-1', seed(3));
const narHash = parseHash(`sha256:${'0'.repeat(64)}`);
const plain: PathInfo = {
  path: parseBaseName(`${'0'.repeat(32)}-app`),
  narHash,
  narSize: 120,
  references: [],
  signatures: [],
};

const signed = async (info: PathInfo, ...keys: SecretKey[]): Promise<PathInfo> => {
  const text = fingerprint(DEFAULT_STORE_DIR, info);
  return { ...info, signatures: await Promise.all(keys.map((key) => sign(key, text))) };
};

async function check(info: PathInfo, requireSigs = true): Promise<Voucher> {
  const trustedPublicKeys = [printPublicKey(publicKeyOf(trusted))];
  return new Trust({ requireSigs, trustedPublicKeys }).check(DEFAULT_STORE_DIR, info, 'http://cache');
}

describe('trust', () => {
  test('one signature by a trusted key is enough, whoever else signed', async () => {
    const voucher = await check(await signed(plain, stranger, trusted));
    assert.deepEqual(voucher, { by: 'signature', key: trusted.name });
  });

  const refused = [
    ['nobody has signed it', [], /it has no signature/],
    ['only a stranger has signed it', [stranger], /it is signed by stranger-1 only/],
    ['the signature under a trusted name is by another key', [impostor], /its signature by trusted-1 does not match/],
  ] as const;
  for (const [why, keys, message] of refused) {
    test(`a path is refused when ${why}, and the message names path and cache`, async () => {
      const refusal = check(await signed(plain, ...keys));
      await assert.rejects(refusal, { code: 'ERR_UNTRUSTED', message });
      await assert.rejects(refusal, { message: /'\/nix\/store\/0{32}-app' from 'http:\/\/cache'/ });
    });
  }

  test('a signature covers size, hash and references: a change of any is refused', async () => {
    const info = await signed(plain, trusted);
    const changes: readonly Partial<PathInfo>[] = [
      { narSize: 121 },
      { narHash: parseHash(`sha256:${'1'.repeat(64)}`) },
      { references: [plain.path] },
      { path: parseBaseName(`${'0'.repeat(32)}-other`) },
    ];
    for (const change of changes) await assert.rejects(check({ ...info, ...change }), { code: 'ERR_UNTRUSTED' });
  });

  test('a content-addressed path needs no signature, but its name must follow from the address', async () => {
    const contentAddress: ContentAddress = { method: 'nar', hash: narHash };
    const path = contentAddressedPath(DEFAULT_STORE_DIR, 'app', contentAddress, []);
    await check({ ...plain, path, contentAddress });
    await assert.rejects(check({ ...plain, contentAddress }), { code: 'ERR_UNTRUSTED' });
  });

  test('a content address that cannot be checked on the way vouches for nothing', async () => {
    const hash = parseHash(`sha1:${'0'.repeat(40)}`);
    const git: ContentAddress = { method: 'git', hash };
    const path = contentAddressedPath(DEFAULT_STORE_DIR, 'app', git, []);
    await assert.rejects(check({ ...plain, path, contentAddress: git }), { code: 'ERR_UNTRUSTED' });
    const self: ContentAddress = { method: 'nar', hash: narHash };
    const selfPath = contentAddressedPath(DEFAULT_STORE_DIR, 'app', self, [], true);
    const refersToItself = { ...plain, path: selfPath, references: [selfPath], contentAddress: self };
    await assert.rejects(check(refersToItself), { code: 'ERR_UNTRUSTED' });
  });

  test('nothing is checked where signatures are not required', async () => {
    await check(plain, false);
  });

  test('a malformed trusted key is an error at once', () => {
    assert.throws(() => new Trust({ requireSigs: true, trustedPublicKeys: ['nonsense'] }), {
      code: 'ERR_FORMAT',
    });
  });
});

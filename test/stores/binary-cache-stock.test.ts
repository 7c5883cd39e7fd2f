/** Binary caches between this project and stock Nix, both ways, in every compression. */
import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeSecretKey, printPublicKey, printSecretKey, publicKeyOf } from '../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, parseStorePath, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { Nix, nixMissing } from '../support/nix.ts';
import { bytes } from '../support/seeded.ts';
import { add, makeBuiltObject, readNar } from '../support/store-objects.ts';
import { directory, file } from '../support/trees.ts';

const CONTENTS = Buffer.concat([bytes(300_000, { seed: 4 }), Buffer.alloc(300_000, 'text')]).toString('latin1');
const LEAF = await makeBuiltObject('leaf', directory({ bin: directory({ tool: file(CONTENTS, true) }) }));
const USER = await makeBuiltObject('user', file('x'), { references: [LEAF.info.path], self: true });
const PATHS = [LEAF, USER].map(({ info }) => printStorePath(DEFAULT_STORE_DIR, info.path));

describe('stock Nix', { skip: nixMissing }, () => {
  for (const params of ['none', 'zstd', 'gzip', 'xz', 'br&compression-level=3']) {
    test(`takes signed paths from a cache written here, ${params}`, async () => {
      await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
      const nix = await Nix.open(join(tmp.path, 'home'));
      const key = await makeSecretKey('stock-1', new Uint8Array(32).fill(9));
      await writeFile(join(tmp.path, 'key'), printSecretKey(key));
      const uri = `file://${tmp.path}/cache`;
      await using store = await openStore(`${uri}?compression=${params}&secret-key=${tmp.path}/key`, makeSettings());
      await add(store, LEAF, USER);

      const root = `local?root=${tmp.path}/root`;
      const trusted = ['--option', 'trusted-public-keys', printPublicKey(publicKeyOf(key))];
      await nix.output('nix', 'copy', '--from', uri, '--to', root, ...trusted, PATHS[1]!);
      await nix.output('nix-store', '--store', root, '--verify-path', ...PATHS);
      assert.equal(
        await nix.output('nix-store', '--store', root, '--query', '--references', PATHS[1]!),
        `${PATHS.toSorted().join('\n')}\n`,
      );
    });
  }

  test('writes caches that are read here, in every compression', async () => {
    await using tmp = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
    const nix = await Nix.open(join(tmp.path, 'home'));
    const root = `local?root=${tmp.path}/root`;
    await writeFile(join(tmp.path, 'file'), CONTENTS);
    const path = (await nix.output('nix', 'store', 'add-file', '--store', root, join(tmp.path, 'file'))).trim();
    const expected = await nix.output('nix', 'store', 'dump-path', '--store', root, path);
    for (const compression of ['none', 'zstd', 'gzip', 'xz', 'bzip2', 'br']) {
      const uri = `file://${tmp.path}/${compression}`;
      await nix.output('nix', 'copy', '--from', root, '--to', `${uri}?compression=${compression}`, path);
      await using store = await openStore(uri, makeSettings());
      const nar = await readNar(store, parseStorePath(DEFAULT_STORE_DIR, path));
      assert.equal(nar.toString(), expected, compression);
    }
  });
});

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCache, readCorpus, readNarInfos } from '../../../bench/corpus/layout.ts';
import { makeCorpusOf } from '../../../bench/corpus/make.ts';
import type { Recipe } from '../../../bench/corpus/recipes.ts';
import { fingerprint } from '../../../src/formats/path-info.ts';
import { publicKeyMap, verifySignature } from '../../../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, parseStorePath } from '../../../src/formats/store-path.ts';
import { nixMissing } from '../../support/nix.ts';
import { makeScratch } from '../../support/scratch.ts';
import { makeSyntheticObjects } from '../../support/synthetic-corpus.ts';

const RECIPE: Recipe = {
  name: 'few',
  about: 'a few paths',
  compressions: ['none', 'xz&compression-level=1'],
  needs: [],
  makeObjects: (directory) => makeSyntheticObjects(directory, 5),
};

for (const nix of [false, true]) {
  const skip = nix && nixMissing;
  test(`a corpus made ${nix ? 'with' : 'without'} Nix has what is needed, and nothing else`, { skip }, async () => {
    await using scratch = await makeScratch();
    await makeCorpusOf(RECIPE, scratch.path, { nix });
    assert.deepEqual(await readdir(scratch.path), ['few']);
    const files = ['cache-none', 'cache-xz', 'paths', 'public.key', 'secret.key', 'top'];
    assert.deepEqual((await readdir(join(scratch.path, 'few'))).sort(), files);

    const corpus = (await readCorpus(scratch.path, 'few'))!;
    assert.equal(corpus.paths.length, 5);
    assert.ok(corpus.paths.includes(corpus.top));
    assert.deepEqual(corpus.paths, corpus.paths.toSorted());
    assert.ok(await hasCache(corpus, 'xz'));
    assert.equal(await hasCache(corpus, 'zstd'), false);

    const keys = publicKeyMap([corpus.publicKey]);
    const infos = await readNarInfos(corpus, 'xz');
    assert.deepEqual(
      infos.map(({ path }) => path),
      corpus.paths.map((path) => parseStorePath(DEFAULT_STORE_DIR, path)),
    );
    for (const info of infos) {
      assert.equal(info.compression, 'xz');
      const [signature] = info.signatures;
      assert.ok(await verifySignature(fingerprint(DEFAULT_STORE_DIR, info), signature!, keys), info.path);
      assert.equal((await readFile(join(corpus.directory, 'cache-xz', info.url))).length, info.fileSize);
    }
  });
}

test('a corpus that cannot be made leaves nothing', async () => {
  await using scratch = await makeScratch();
  const failing: Recipe = { ...RECIPE, makeObjects: () => Promise.reject(new Error('no luck')) };
  await assert.rejects(makeCorpusOf(failing, scratch.path, { nix: false }), /no luck/);
  assert.deepEqual(await readdir(scratch.path), []);
  assert.equal(await readCorpus(scratch.path, 'few'), undefined);
});

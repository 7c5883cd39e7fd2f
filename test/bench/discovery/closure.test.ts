import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeClosure } from '../../../bench/discovery/closure.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openStore } from '../../../src/stores/open-store.ts';
import { Trust } from '../../../src/stores/trust.ts';
import { makeScratch } from '../../support/scratch.ts';

test('all paths are reached from the top, in many steps, and a key has signed each', async () => {
  await using scratch = await makeScratch();
  const dir = join(scratch.path, 'cache');
  const { top, count, narSize, publicKey } = await writeClosure(dir, 2_000);
  await using cache = await openStore(`file://${dir}`, makeSettings());
  const trust = new Trust({ requireSigs: true, trustedPublicKeys: [publicKey] });
  const seen = new Set([top]);
  let sum = 0;
  let levels = 0;
  for (let level = [top]; level.length > 0; levels++) {
    const infos = await Promise.all(level.map((path) => cache.queryPathInfo(path)));
    await Promise.all(infos.map((info) => trust.check(cache.storeDir, info!, cache.uri)));
    sum += infos.reduce((sum, info) => sum + info!.narSize, 0);
    level = [...new Set(infos.flatMap((info) => info!.references))].filter((path) => !seen.has(path));
    for (const path of level) seen.add(path);
  }
  assert.deepEqual([seen.size, sum], [count, narSize]);
  assert.ok(levels > 3, `${levels} levels`);
});

test('it is the same in every run', async () => {
  await using scratch = await makeScratch();
  const [first, second] = await Promise.all(['a', 'b'].map((name) => writeClosure(join(scratch.path, name), 100)));
  assert.deepEqual(first, second);
});

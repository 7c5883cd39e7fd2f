/** How much memory it takes to substitute one large NAR: as little as for a small one. */
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { describeNar, MEBIBYTE, narOfNoise } from '../support/large-nars.ts';
import { startNginx } from '../support/nginx.ts';
import { MAIN, needs, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Two gigabytes take half a minute; SLUICE_SLOW asks for them. */
const SIZE = process.env.SLUICE_SLOW ? 2048 : 512;
/** In MiB. */
const LIMIT = 300;

/** Quick to compress, and not for nothing. */
const nar = narOfNoise({ size: SIZE, noise: 1 / 16 });
const REPORTER = fileURLToPath(new URL('../support/report-max-rss.ts', import.meta.url));

test(`one NAR of ${SIZE} MiB`, needs('nginx'), async (t) => {
  await using scratch = await makeScratch(2.2 * SIZE);
  await using nginx = await startNginx(scratch.path, join(scratch.path, 'nginx'));
  const info = await describeNar(nar);
  const path = printStorePath(DEFAULT_STORE_DIR, info.path);

  // Quick to make: neither the bytes nor the time are of any matter here.
  for (const compression of ['none', 'zstd&compression-level=1', 'xz&compression-level=0']) {
    const name = compression.replace(/&.*/, '');
    await t.test(`is substituted from a ${name} cache in less than ${LIMIT} MiB of memory`, async (t) => {
      await using place = await makeScratch(2.2 * SIZE);
      await using cache = await openStore(`file://${scratch.path}/${name}?compression=${compression}`, makeSettings());
      await cache.addToStore(info, nar);

      const report = join(place.path, 'max-rss');
      const realise = ['realise', path, '--store', join(place.path, 'store'), '--substituter', `${nginx.url}/${name}`];
      const ended = await run(process.execPath, ['--import', REPORTER, MAIN, ...realise], {
        env: { SLUICE_TEST_MAX_RSS: report },
      });
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal((await stat(join(place.path, 'store', path))).size, SIZE * MEBIBYTE);
      const peak = Number(await readFile(report, 'utf8')) / 1024;
      t.diagnostic(`${Math.round(peak)} MiB`);
      assert.ok(peak < LIMIT, `${peak} MiB`);
    });
  }
});

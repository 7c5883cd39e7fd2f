/** How much memory it takes to substitute one large NAR: as little as for a small one. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ARCHIVE_START, fileEnd, fileStart } from '../../src/formats/nar-writer.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, makeFixedOutputPath, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import type { NarSource, Sink } from '../../src/stores/store.ts';
import { startNginx } from '../support/nginx.ts';
import { MAIN, needs, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const MEBIBYTE = 2 ** 20;
/** Two gigabytes take half a minute; SLUICE_SLOW asks for them. */
const SIZE = process.env.SLUICE_SLOW ? 2048 : 512;
/** In MiB. */
const LIMIT = 300;

const REPORTER = fileURLToPath(new URL('../support/report-max-rss.ts', import.meta.url));

test(`one NAR of ${SIZE} MiB`, needs('nginx'), async (t) => {
  await using scratch = await makeScratch(2.2 * SIZE);
  await using nginx = await startNginx(scratch.path, join(scratch.path, 'nginx'));
  const info = await describe(nar);
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

/** The path info of a content-addressed NAR, so that no signature is needed. */
async function describe(source: NarSource): Promise<PathInfo> {
  const hasher = createHash('sha256');
  let narSize = 0;
  await source((chunk) => {
    hasher.update(chunk);
    narSize += chunk.length;
  });
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(hasher.digest()) } as const;
  const contentAddress = { method: 'nar', hash: narHash } as const;
  const path = makeFixedOutputPath(DEFAULT_STORE_DIR, 'large', contentAddress, { references: [], self: false });
  return { path, narHash, narSize, references: [], signatures: [], contentAddress };
}

/** One file, of which one byte in sixteen cannot be compressed. The same in every run. */
async function nar(sink: Sink): Promise<void> {
  await sink(Buffer.from(ARCHIVE_START + fileStart(false, SIZE * MEBIBYTE), 'latin1'));
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(4096);
  const block = Buffer.alloc(64 * 1024, 'a line that comes again and again\n');
  for (let written = 0; written < SIZE * MEBIBYTE; written += block.length) {
    block.set(noise.update(zeros), 12_345);
    await sink(block);
  }
  await sink(Buffer.from(fileEnd(SIZE * MEBIBYTE), 'latin1'));
}

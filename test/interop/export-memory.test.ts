/** How much memory it takes to export and import much: as little as for a little. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXPORT_END, EXPORT_NEXT, printExported } from '../../src/formats/export-stream.ts';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import type { Sink } from '../../src/stores/store.ts';
import { full, pathOf } from '../support/gc-store.ts';
import { MEBIBYTE, narOfNoise } from '../support/large-nars.ts';
import { MAIN } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Three gigabytes take half a minute; SLUICE_SLOW asks for them. In MiB. */
const SIZE = process.env.SLUICE_SLOW ? 3072 : 512;
/** In MiB. */
const LIMIT = 200;

const REPORTER = fileURLToPath(new URL('../support/report-max-rss.ts', import.meta.url));

/** Of `count` objects, the same in every run. */
async function pourStream(count: number, sink: Sink): Promise<void> {
  for (let index = 0; index < count; index++) {
    await sink(EXPORT_NEXT);
    await narOfNoise({ size: SIZE / count, noise: 1 / 16 })(sink);
    const references = index === 0 ? [] : [pathOf(`n${index - 1}`)];
    await sink(printExported(DEFAULT_STORE_DIR, { path: pathOf(`n${index}`), references }));
  }
  await sink(EXPORT_END);
}

/** Runs sluice; returns the most memory that it took, in MiB. */
async function peakOf(
  args: readonly string[],
  report: string,
  { pour, onOutput }: { readonly pour?: (sink: Sink) => Promise<void>; readonly onOutput: (chunk: Uint8Array) => void },
): Promise<number> {
  const env = { ...process.env, SLUICE_TEST_MAX_RSS: report };
  using child = spawn(process.execPath, ['--import', REPORTER, MAIN, ...args], { env, stdio: 'pipe' });
  child.stdin.on('error', () => {}); // it ended: its exit code tells
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]);
  child.stdout.on('data', onOutput);
  await pour?.((chunk) => new Promise((resolve) => child.stdin.write(chunk, () => resolve())));
  child.stdin.end();
  const [[code], stderr] = await ended;
  assert.equal(code, 0, stderr);
  return Number(await readFile(report, 'utf8')) / 1024;
}

for (const count of [1, 128]) {
  test(`a stream of ${SIZE} MiB with ${count} paths is imported and exported in less than ${LIMIT} MiB`, async (t) => {
    await using place = await makeScratch(1.2 * SIZE);
    const [store, report] = [join(place.path, 'store'), join(place.path, 'max-rss')];
    const wanted = createHash('sha256');
    let printed = '';
    const imported = await peakOf(['import', '--store', store], report, {
      pour: (sink) =>
        pourStream(count, (chunk) => {
          wanted.update(chunk);
          return sink(chunk);
        }),
      onOutput: (chunk) => {
        printed += chunk.toString();
      },
    });
    const paths = Array.from({ length: count }, (_, index) => full(pathOf(`n${index}`)));
    assert.equal(printed, paths.map((path) => `${path}\n`).join(''));
    assert.equal((await stat(join(store, paths.at(-1)!))).size, (SIZE / count) * MEBIBYTE);

    const got = createHash('sha256');
    const exported = await peakOf(['export', '--store', store, '--closure', paths.at(-1)!], report, {
      onOutput: (chunk) => got.update(chunk),
    });
    assert.equal(got.digest('hex'), wanted.digest('hex'));
    t.diagnostic(`import ${Math.round(imported)} MiB, export ${Math.round(exported)} MiB`);
    assert.ok(imported < LIMIT && exported < LIMIT, `import ${imported} MiB, export ${exported} MiB`);
  });
}

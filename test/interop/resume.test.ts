/** A process that is killed in the middle of a large NAR: the next one fetches what is missing of it, and no more. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, watch } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isNarInfo, type NarInfo } from '../../src/formats/narinfo.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { describeNar, MEBIBYTE, narOfNoise } from '../support/large-nars.ts';
import { type NginxPlace, nginxConfiguration, startNginx } from '../support/nginx.ts';
import { lines, MAIN, needs, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Of the one file in the NAR, in MiB; SLUICE_SLOW asks for the large one. */
const SIZE = process.env.SLUICE_SLOW ? 500 : 160;
/** In MiB: until so much has come of a file, all of it is kept. */
const KEPT = 60;
/** In milliseconds: a run that has not kept enough by then never will. */
const LONGEST = 60_000;
/** Of what the first run was sent, how much the second may be sent again. */
const AGAIN = 0.05;

const nar = narOfNoise({ size: SIZE, noise: 1 });

test(`a run that is killed in the middle of a NAR of ${SIZE} MiB`, needs('nginx'), async (t) => {
  await using scratch = await makeScratch(4 * SIZE);
  const info = await describeNar(nar);
  const path = printStorePath(DEFAULT_STORE_DIR, info.path);

  for (const compression of ['none', 'zstd&compression-level=1']) {
    const name = compression.replace(/&.*/, '');
    await t.test(`goes on where it was, with compression ${name}`, async (t) => {
      const { url, fileSize } = await addTo(`file://${scratch.path}/${name}?compression=${compression}`, info);
      await using root = await makeScratch(2 * SIZE);
      const half = Math.min(Math.round(fileSize! / 2), KEPT * MEBIBYTE);
      const sent = async (limits: string, use: (realise: readonly string[]) => Promise<void>): Promise<number> => {
        const log = join(root.path, 'access.log');
        {
          await using nginx = await startNginx(scratch.path, join(root.path, 'nginx'), configuration(log, limits));
          await use(['realise', path, '--store', root.path, '--substituter', `${nginx.url}/${name}`]);
        }
        return await sentBytes(log, `/${name}/${url}`);
      };

      // The rest would take hours, so that what has been sent is also received when it is killed.
      const first = await sent(`limit_rate_after ${half}; limit_rate 1k; max_ranges 0;`, (realise) =>
        killInTheMiddle(realise, root.path, half - MEBIBYTE),
      );
      const second = await sent('', async (realise) => {
        const ended = await sluice(realise);
        assert.equal(ended.code, 0, ended.stderr);
      });
      t.diagnostic(`${mebibytes(first)} MiB were sent, and then ${mebibytes(second)} MiB`);
      assert.ok(second <= fileSize! - (1 - AGAIN) * first);
      assert.equal((await stat(join(root.path, path))).size, SIZE * MEBIBYTE);
      assert.deepEqual(await readdir(partsIn(root.path)), []);
    });
  }
});

/** Adds the NAR to a binary cache. */
async function addTo(uri: string, info: PathInfo): Promise<NarInfo> {
  await using cache = await openStore(uri, makeSettings());
  await cache.addToStore(info, nar);
  const found = await cache.queryPathInfo(info.path);
  assert.ok(found !== undefined && isNarInfo(found));
  return found;
}

/** Where the parts of large downloads are. */
function partsIn(root: string): string {
  return join(root, 'nix/var/nix/sluice/partial');
}

/** Kills the command line as soon as more than `size` bytes have been kept. */
async function killInTheMiddle(args: readonly string[], root: string, size: number): Promise<void> {
  const parts = partsIn(root);
  await mkdir(parts, { recursive: true });
  using resources = new DisposableStack();
  const child = resources.use(spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore', timeout: LONGEST }));
  const watcher = watch(parts, (_event, name) => {
    if ((statSync(join(parts, name!), { throwIfNoEntry: false })?.size ?? 0) > size) child.kill('SIGKILL');
  });
  resources.defer(() => watcher.close());
  const [, signal] = (await once(child, 'exit')) as [code: number | null, signal: string | null];
  assert.equal(signal, 'SIGKILL');
}

/** A server that says how much it has sent of each file, to killed connections too. */
function configuration(log: string, limits: string): (place: NginxPlace) => string {
  return ({ directory, scratch, port }) =>
    nginxConfiguration(
      scratch,
      `
    log_format sent '$uri $body_bytes_sent';
    access_log ${log} sent;
    ${limits}
    sendfile on;
    server { listen 127.0.0.1:${port}; root ${directory}; }`,
    );
}

/** Reads what was sent of a file, and begins the log anew. */
async function sentBytes(log: string, file: string): Promise<number> {
  const entries = lines(await readFile(log, 'utf8')).map((line) => line.split(' '));
  await rm(log);
  return entries.reduce((sum, [name, bytes]) => sum + (name === file ? Number(bytes) : 0), 0);
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}

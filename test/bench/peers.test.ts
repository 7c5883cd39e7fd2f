/** The comparison from end to end, with a corpus of twenty paths in place of a large one. */
import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeCorpusOf } from '../../bench/corpus/make.ts';
import { findEchoModule } from '../../bench/peers/nginx.ts';
import type { PeersReport, TransferReport } from '../../bench/peers/report.ts';
import { MAIN, needs, output, type RunOptions, type RunResult, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { makeSyntheticObjects } from '../support/synthetic-corpus.ts';

const PEERS = fileURLToPath(new URL('../../bench/peers.ts', import.meta.url));
const PATHS = 20;

const peers = (args: readonly string[], options?: RunOptions): Promise<RunResult> =>
  run(process.execPath, [PEERS, ...args], options);

/** Writes what takes the place of corpus `deb`: with another compression, and small. */
async function makeFew(corpora: string): Promise<void> {
  const makeObjects = (directory: string) => makeSyntheticObjects(directory, PATHS);
  await makeCorpusOf({ name: 'deb', about: 'few', compressions: ['zstd'], needs: [], makeObjects }, corpora);
}

async function readReport(file: string): Promise<PeersReport> {
  return JSON.parse(await readFile(file, 'utf8')) as PeersReport;
}

function assertMeasured({ sluice, paths, narBytes, downloadBytes, floor }: TransferReport, pairs: number): void {
  assert.equal(sluice.length, pairs);
  for (const { seconds, cpuSeconds, peakBytes } of sluice) {
    assert.ok(seconds > 0.02 && cpuSeconds > 0.02 && peakBytes > 30e6, JSON.stringify(sluice));
  }
  assert.equal(paths, PATHS);
  assert.ok(narBytes > downloadBytes && downloadBytes > 0);
  assert.ok(floor.hash > 0 && floor.write > 0);
}

test('a comparison with Nix', needs('nix', 'nix-store', 'nginx', 'zstd', 'cp'), async (t) => {
  await using scratch = await makeScratch(100);
  const corpora = join(scratch.path, 'corpora');
  await makeFew(corpora);
  const json = join(scratch.path, 'report.json');
  const base = ['--corpora', corpora, '--sluice', MAIN];

  await t.test('runs both in pairs, and prints what it writes', async () => {
    const { code, stdout, stderr } = await peers([...base, '--rows', 'deb-zstd', '--pairs', '2', '--json', json]);
    const report = await readReport(json);
    const [row] = report.rows as [TransferReport];
    assertMeasured(row, 2);
    assert.equal(row.nix.length, 2);
    assert.ok(row.floor.decode! > 0);
    assert.match(stderr, /^deb-zstd, pair 2 of 2: Sluice .+, Nix .+$/m);
    assert.match(stdout, /^deb-zstd +\d+\.\d\d × +≥ 1\.1 +[✓✗] /m);
    // Which of the two it is depends on the machine; that the code tells does not.
    assert.equal(code, stdout.includes('missed: ') ? 1 : 0);

    const again = await peers(['--from', json, '--compare', json]);
    assert.equal(again.code, code);
    assert.ok(again.stdout.startsWith(stdout), again.stdout);
    assert.match(again.stdout, /^deb-zstd +ratio +(\S+) +\1 +0 %$/m);
  });

  await t.test('says which rows it left out, and looks whether it could measure without measuring', async (t) => {
    const { code, stdout, stderr } = await peers([...base, '--rows', 'deb', '--rows', 'huge', '--check']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^left out: deb-xz: .*\/deb has no xz cache/m);
    assert.match(stdout, /^left out: huge-zstd: there is no .*\/huge$/m);
    assert.doesNotMatch(stdout, /left out: deb-zstd:/);
    if ((await findEchoModule()) === undefined) return t.skip('nginx has no echo module here');
    assert.match(stderr, /^nginx answers at .*\/delayed\/ after 2\d\.\d ms$/m);
  });

  await t.test('fails where a run fails, says why, and goes on', async () => {
    await makeCorpusOf(
      {
        name: 'one',
        about: 'one',
        compressions: ['zstd'],
        needs: [],
        makeObjects: (dir) => makeSyntheticObjects(dir, 1),
      },
      corpora,
    );
    await writeFile(join(corpora, 'one/public.key'), 'corpus-1:XNjtyANVWmWyZm42rs/oyOPL0xfZ0UX4iDk2H0YA4pU=');
    const { code, stdout } = await peers([...base, '--rows', 'one', '--rows', 'deb-zstd', '--pairs', '1']);
    assert.equal(code, 1);
    assert.match(stdout, /^left out: one-zstd: error: .*nix-store .* ended with exit code/m);
    assert.match(stdout, /^deb-zstd /m);
  });
});

test('without Nix Sluice runs alone', needs('nginx', 'zstd', 'cp'), async () => {
  await using scratch = await makeScratch(100);
  const corpora = join(scratch.path, 'corpora');
  await makeFew(corpora);
  const bin = join(scratch.path, 'bin');
  await mkdir(bin);
  for (const program of ['nginx', 'zstd', 'cp']) {
    const found = await output('sh', ['-c', `command -v ${program}`]);
    await symlink(found.trim(), join(bin, program));
  }
  const json = join(scratch.path, 'report.json');
  const args = ['--corpora', corpora, '--sluice', MAIN, '--rows', 'deb-zstd', '--pairs', '1', '--json', json];
  const { code, stdout, stderr } = await peers(args, { env: { PATH: bin } });
  assert.match(stderr, /^Nix is missing, so Sluice runs alone: apt-get install nix-bin$/m);
  const [row] = (await readReport(json)).rows as [TransferReport];
  assertMeasured(row, 1);
  assert.deepEqual(row.nix, []);
  assert.match(stdout, /^deb-zstd +– /m);
  assert.equal(code, stdout.includes('missed: ') ? 1 : 0);
});

test('a command line that makes no sense ends with 2, and a file that is no report with a word on it', async () => {
  const { code, stderr } = await peers(['--pairs', 'many']);
  assert.equal(code, 2);
  assert.match(stderr, /^error: '--pairs' wants a whole number above zero, got 'many'$/m);
  const other = await peers(['--from', join(import.meta.dirname, '../../package.json')]);
  assert.match(other.stderr, /package\.json' is no such report/);
});

test('help is printed, and nothing else', async () => {
  const { code, stdout, stderr } = await peers(['--help']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^Usage: npm run bench:peers/);
});

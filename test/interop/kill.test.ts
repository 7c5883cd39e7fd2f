/**
 * `kill -9` at any moment of a substitution: what stock Nix then finds valid is there and whole, and the next run
 * completes what was begun.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Corpus, makeCorpus } from '../support/corpus.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { Nix } from '../support/nix.ts';
import { lines, MAIN, needs, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { makeSyntheticObjects, seededIntegers } from '../support/synthetic-corpus.ts';

const KILLS = 20;
const PATHS = 200;
/** Where a run ended before it was killed, the next one is killed earlier. */
const SOONER = 0.8;

test(`a substitution that is killed at ${KILLS} random moments`, needs('nix-store', 'nginx'), async (t) => {
  await using scratch = await makeScratch(500);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const objects = await makeSyntheticObjects(join(scratch.path, 'trees'), PATHS, 2);
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, ['zstd']);
  await using nginx = await startNginx(corpus.directory, join(scratch.path, 'nginx'));
  const killAt = (root: string, moment: number): Promise<Killed> => killedRun(argsFor(corpus, nginx, root), moment);

  const { milliseconds: whole } = await killAt(join(scratch.path, 'whole'), Number.POSITIVE_INFINITY);
  const below = seededIntegers(3);
  const valid: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    // One moment in each of as many parts of the run, so that none is left out. They are shorter towards its end, as it
    // is there that most paths are registered.
    const share = Math.sqrt((kill + below(1_000) / 1_000) / KILLS);
    await t.test(`after ${Math.round(share * 100)} % of its time`, async () => {
      let root = '';
      for (let moment = share * whole, wasKilled = false; !wasKilled; moment *= SOONER) {
        root = join(scratch.path, `killed-${kill}-${Math.round(moment)}`);
        await mkdir(root);
        ({ wasKilled } = await killAt(root, moment));
      }
      assert.deepEqual(await nix.problems(root), []);
      const validPaths = lines(await nix.output('nix', 'path-info', '--all', '--store', root));
      valid.push(validPaths.length);

      const { code, stderr } = await sluice(argsFor(corpus, nginx, root));
      assert.equal(code, 0, stderr);
      assert.deepEqual(await nix.problems(root), []);
      assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
      // What was staged goes when the next run stages something.
      if (validPaths.length < PATHS) assert.deepEqual(await strayNames(root, corpus), []);
    });
  }
  t.diagnostic(`paths that were valid after each kill: ${valid.join(', ')}`);
  assert.ok(
    valid.some((count) => count > 0 && count < PATHS),
    'no run was killed in the middle',
  );
});

function argsFor(corpus: Corpus, nginx: Nginx, root: string): string[] {
  const url = `${nginx.url}/${corpus.cacheName('zstd')}`;
  const trust = ['--trusted-public-keys', corpus.publicKey];
  return ['realise', corpus.top, '--store', root, '--substituter', url, ...trust];
}

/** What lies in the store directory and is no valid path. The locks of killed processes stay there, as Nix's do. */
async function strayNames(root: string, { paths }: Corpus): Promise<string[]> {
  const names = await readdir(join(root, 'nix/store'));
  return names.filter((name) => name !== '.links' && !name.endsWith('.lock') && !paths.includes(`/nix/store/${name}`));
}

interface Killed {
  readonly wasKilled: boolean;
  /** From the beginning of its work, which is when it says something for the first time. */
  readonly milliseconds: number;
}

async function killedRun(args: readonly string[], moment: number): Promise<Killed> {
  using child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  await once(child.stderr, 'data');
  child.stderr.resume();
  const start = performance.now();
  using ended = new DisposableStack();
  if (Number.isFinite(moment)) {
    const waiting = new AbortController();
    ended.defer(() => waiting.abort());
    setTimeout(moment, undefined, { signal: waiting.signal }).then(
      () => child.kill('SIGKILL'),
      () => {}, // it was quicker
    );
  }
  const [code, signal] = await exited;
  assert.ok(code === 0 || signal === 'SIGKILL', `ended with ${code}`);
  return { wasKilled: signal === 'SIGKILL', milliseconds: performance.now() - start };
}

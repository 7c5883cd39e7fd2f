/**
 * `kill -9` at any moment of a substitution: what stock Nix then finds valid is there and whole, and the next run
 * completes what was begun.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Corpus, makeCorpus } from '../support/corpus.ts';
import { type Nginx, startNginx } from '../support/nginx.ts';
import { Nix } from '../support/nix.ts';
import { lines, MAIN, needs, sluice } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';
import { makeSyntheticObjects, seededIntegers } from '../support/synthetic-corpus.ts';

const PATHS = 200;
/** Kills of each kind: after a time, and after a number of paths. */
const KILLS = 10;
/** A run that ended before it was killed is done again, and killed earlier. */
const SOONER = 0.9;

test(`a substitution that is killed at ${2 * KILLS} random moments`, needs('nix-store', 'nginx'), async (t) => {
  await using scratch = await makeScratch(500);
  const nix = await Nix.open(join(scratch.path, 'home'));
  const objects = await makeSyntheticObjects(join(scratch.path, 'trees'), PATHS, 2);
  const corpus = await makeCorpus(nix, join(scratch.path, 'corpus'), objects, ['zstd']);
  await using nginx = await startNginx(corpus.directory, join(scratch.path, 'nginx'));
  const subject = { nix, corpus, nginx, directory: scratch.path };
  const below = seededIntegers(3);

  const { milliseconds: whole } = await substitute(subject, await freshRoot(subject), never);
  for (let kill = 0; kill < KILLS; kill++) {
    // One moment in each of as many equal parts of the run, so that none is left out.
    const share = (kill + below(1_000) / 1_000) / KILLS;
    const name = `after ${Math.round(share * 100)} % of its time`;
    await t.test(name, (t) => provesKill(t, subject, (sooner) => afterTime(share * whole * sooner)));
  }
  for (let kill = 0; kill < KILLS; kill++) {
    // Registration is quick, and late: few of the moments above fall into it.
    const paths = 1 + Math.floor(((kill + below(1_000) / 1_000) / KILLS) * (PATHS - 1));
    const name = `when ${paths} paths have been moved to where they belong`;
    await t.test(name, (t) => provesKill(t, subject, (sooner) => afterPaths(Math.ceil(paths * sooner), corpus)));
  }
});

interface Subject {
  readonly nix: Nix;
  readonly corpus: Corpus;
  readonly nginx: Nginx;
  readonly directory: string;
}

/** Calls `kill` when the moment has come, and not any more when it is disposed. */
type Trigger = (root: string, kill: () => void) => Disposable;

const never: Trigger = () => new DisposableStack();

/** Counted from when the process says something for the first time. */
function afterTime(milliseconds: number): Trigger {
  return (_root, kill) => setTimeout(kill, milliseconds);
}

function afterPaths(count: number, { paths }: Corpus): Trigger {
  return (root, kill) => {
    const moved = new Set<string>();
    const watcher = watch(join(root, 'nix/store'), (_event, name) => {
      if (paths.includes(`/nix/store/${name}`)) moved.add(name!);
      if (moved.size >= count) kill();
    });
    const stop = new DisposableStack();
    stop.defer(() => watcher.close());
    return stop;
  };
}

async function provesKill(t: TestContext, subject: Subject, triggerOf: (sooner: number) => Trigger): Promise<void> {
  const { nix, corpus } = subject;
  let root = '';
  for (let sooner = 1, wasKilled = false; !wasKilled; sooner *= SOONER) {
    root = await freshRoot(subject);
    ({ wasKilled } = await substitute(subject, root, triggerOf(sooner)));
  }
  assert.deepEqual(await nix.problems(root), []);
  const valid = lines(await nix.output('nix', 'path-info', '--all', '--store', root)).length;
  t.diagnostic(`${valid} of ${PATHS} paths were valid`);

  const { code, stderr } = await sluice(argsFor(subject, root));
  assert.equal(code, 0, stderr);
  assert.deepEqual(await nix.problems(root), []);
  assert.deepEqual(await nix.closure(root, corpus.top), corpus.paths);
  // What was staged goes when the next run stages something.
  if (valid < PATHS) assert.deepEqual(await strayNames(root, corpus), []);
}

let roots = 0;

async function freshRoot({ directory }: Subject): Promise<string> {
  const root = join(directory, `root-${roots++}`);
  await mkdir(join(root, 'nix/store'), { recursive: true });
  return root;
}

function argsFor({ corpus, nginx }: Subject, root: string): string[] {
  const url = `${nginx.url}/${corpus.cacheName('zstd')}`;
  const trust = ['--trusted-public-keys', corpus.publicKey];
  return ['realise', corpus.top, '--store', root, '--substituter', url, ...trust];
}

interface Ended {
  readonly wasKilled: boolean;
  /** From when it said something for the first time. */
  readonly milliseconds: number;
}

async function substitute(subject: Subject, root: string, trigger: Trigger): Promise<Ended> {
  using child = spawn(process.execPath, [MAIN, ...argsFor(subject, root)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  await once(child.stderr, 'data');
  child.stderr.resume();
  const start = performance.now();
  using _armed = trigger(root, () => child.kill('SIGKILL'));
  const [code, signal] = await exited;
  assert.ok(code === 0 || signal === 'SIGKILL', `ended with ${code}`);
  return { wasKilled: signal === 'SIGKILL', milliseconds: performance.now() - start };
}

/** What lies in the store directory and is no valid path. The locks of killed processes stay there, as Nix's do. */
async function strayNames(root: string, { paths }: Corpus): Promise<string[]> {
  const names = await readdir(join(root, 'nix/store'));
  return names.filter((name) => name !== '.links' && !name.endsWith('.lock') && !paths.includes(`/nix/store/${name}`));
}

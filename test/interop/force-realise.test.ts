/** `query --force-realise` beside `nix-store --query --force-realise`, in the same store, with nothing built before each. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStorePath } from '../../src/formats/store-path.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { lines, output, type RunResult, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

const FLAGS = ['--no-sandbox', '--build-users-group', '', '--no-substitute', '--worker-threads', '1'];

const ours = (builds: BuildStore, ...args: readonly string[]): Promise<CliResult> =>
  runCli(['query', '--store', builds.uri, ...FLAGS, ...args]);
const stock = (builds: BuildStore, ...args: readonly string[]): Promise<RunResult> =>
  run('nix-store', ['--query', '--option', 'sandbox', 'false', ...args], { env: builds.env });

const GOOD = `let lib = ${shellDerivation('lib', 'echo lib > $out')};
  in ${shellDerivation('app', 'echo $lib > $out; echo $out > $dev', 'inherit lib; outputs = [ "out" "dev" ];')}`;

async function outputsOf(builds: BuildStore): Promise<string[]> {
  const all = await builds.store.queryAllValidPaths();
  return [...all].filter((path) => !path.endsWith('.drv')).map((path) => `${builds.store.storeDir}/${path}`);
}

async function forget(builds: BuildStore): Promise<void> {
  const outputs = await outputsOf(builds);
  if (outputs.length > 0) await output('nix-store', ['--delete', ...outputs], { env: builds.env });
}

describe('query --force-realise', { skip: buildsMissing }, () => {
  test('builds what a question is about, and answers as stock Nix', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(GOOD);
    const asked = ['--outputs', '--requisites', '--hash', '--graph', '--referrers-closure'];
    const questions = asked.map((question) => [question, '--force-realise', '--use-output']);
    for (const question of [...questions, ['--size', '-f', '-u'], ['--references', '--force-realize']]) {
      await forget(builds);
      const theirs = await stock(builds, ...question, drvPath);
      const built = await outputsOf(builds);
      await forget(builds);
      const got = await ours(builds, ...question, drvPath);
      const what = question.join(' ');
      assert.deepEqual([got.code, got.stdout], [theirs.code, theirs.stdout], what + got.stderr + theirs.stderr);
      assert.equal(built.length, 3, what);
      assert.deepEqual((await outputsOf(builds)).sort(), built.sort(), what);
    }
  });

  test('builds nothing for a question about the paths as they were named', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(GOOD);
    for (const question of [['--deriver'], ['--tree'], ['--resolve'], ['--binding', 'name']]) {
      const theirs = await stock(builds, ...question, '--force-realise', drvPath);
      const got = await ours(builds, ...question, '--force-realise', drvPath);
      assert.deepEqual([got.code, got.stdout], [theirs.code, theirs.stdout], question + got.stderr + theirs.stderr);
      assert.deepEqual(await outputsOf(builds), []);
    }
  });

  test('answers nothing where a build fails, with the exit code of that', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(shellDerivation('failing', 'echo why >&2; exit 7'));
    const theirs = await stock(builds, '--outputs', '--force-realise', drvPath);
    const got = await ours(builds, '--outputs', '--force-realise', drvPath);
    assert.deepEqual([got.code, got.stdout], [theirs.code, theirs.stdout]);
    assert.equal(got.code, 100);
    assert.match(got.stderr, /failed with exit code 7/);
  });

  test('says of a path that nobody has that it cannot be had', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(GOOD);
    const [path] = lines(await output('nix-store', ['--query', '--outputs', drvPath], { env: builds.env }));
    assert.equal(await builds.store.isValidPath(parseStorePath(builds.store.storeDir, path!)), false);
    const theirs = await stock(builds, '--size', '--force-realise', path!);
    const got = await ours(builds, '--size', '--force-realise', path!);
    assert.deepEqual([got.code, got.stdout], [theirs.code, theirs.stdout]);
    assert.match(got.stderr, /is not valid/);
  });
});

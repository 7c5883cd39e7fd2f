/** Fixed outputs that come out with other contents: what stock Nix and Sluice make of them in the same store. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { BuildError } from '../../src/errors.ts';
import { parseStorePath } from '../../src/formats/store-path.ts';
import { type BuildOutcome, exitStatusOf } from '../../src/scheduler/build-outcome.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import type { Settings } from '../../src/settings.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { output, run } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** Of hashes in base 16. */
const DIGITS = { sha1: 40, sha256: 64, sha512: 128 } as const;

/** How a derivation names what it is to make, and what it makes. */
const KINDS = {
  'a flat file': { script: 'printf hello > $out', algorithm: 'sha256', mode: 'flat' },
  'a flat file by sha1': { script: 'printf hello > $out', algorithm: 'sha1', mode: 'flat' },
  'a tree': { script: '/bin/mkdir $out; printf hello > $out/file', algorithm: 'sha256', mode: 'recursive' },
  'a tree by sha512': { script: '/bin/mkdir $out; printf hello > $out/file', algorithm: 'sha512', mode: 'recursive' },
} as const;
interface Kind {
  readonly script: string;
  readonly algorithm: keyof typeof DIGITS;
  readonly mode: 'flat' | 'recursive';
}

const derivation = ({ script, algorithm, mode }: Kind, hash = '0'.repeat(DIGITS[algorithm])): string =>
  shellDerivation(
    'fixed',
    script,
    `outputHash = "${hash}"; outputHashAlgo = "${algorithm}"; outputHashMode = "${mode}";`,
  );

/** Stock Nix wants to be told that it may. */
const NEW = ['--extra-experimental-features', 'nix-command'];

interface Built {
  readonly outcome: BuildOutcome;
  /** Builders that ran. */
  readonly started: number;
}

async function build(builds: BuildStore, drvPath: string, settings: Partial<Settings> = {}): Promise<Built> {
  await using scheduler = await Scheduler.open({
    store: builds.uri,
    substituters: [],
    settings: { buildUsersGroup: '', sandbox: 'false', fsyncMetadata: false, workerThreads: 1, ...settings },
  });
  let started = 0;
  scheduler.events.on('buildStarted', () => void started++);
  const [outcome] = await scheduler.build([`${drvPath}^*`]);
  return { outcome: outcome!, started };
}

/** All that stock Nix knows of what was built, but when. */
async function outputInfos({ env }: BuildStore): Promise<Record<string, unknown>[]> {
  const infos = JSON.parse(await output('nix', ['path-info', '--json', '--all', ...NEW], { env })) as Record<
    string,
    unknown
  >[];
  return infos.filter(({ path }) => !String(path).endsWith('.drv')).map(({ registrationTime: _, ...info }) => info);
}

describe('a fixed output with other contents', { skip: buildsMissing }, () => {
  for (const [what, kind] of Object.entries(KINDS)) {
    test(`${what} fails, and is valid where its contents belong, as with stock Nix`, async () => {
      await using scratch = await makeScratch();
      await using builds = await openBuildStore(scratch.path);
      const { env, store } = builds;
      const drvPath = await builds.instantiate(derivation(kind));
      const { outcome } = await build(builds, drvPath);
      assert.equal(outcome.status, 'outputRejected');
      assert.equal(exitStatusOf([outcome]), 102);
      const ours = await outputInfos(builds);
      const [path] = ours.map((info) => String(info.path));
      assert.ok(outcome.state === 'failed' && outcome.failure instanceof BuildError);
      assert.equal(outcome.failure.failure.status, 'hashMismatch');
      assert.match(outcome.failure.hint ?? '', new RegExp(`'${path}'`));
      assert.equal((await run('nix-store', ['--verify', '--check-contents'], { env })).code, 0);
      assert.deepEqual(
        (await readdir(store.realStoreDir)).filter((name) => /lock$|-tmp-/.test(name)),
        [],
      );

      await output('nix-store', ['--delete', path!], { env });
      const { code } = await run('nix-store', ['--realise', drvPath, '--option', 'sandbox', 'false'], { env });
      assert.equal(code, 102);
      assert.deepEqual(ours, await outputInfos(builds));
    });
  }

  test('is used as soon as the derivation names its hash', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const kind = KINDS['a flat file'];
    const wrong = await builds.instantiate(derivation(kind));
    await build(builds, wrong);
    // Of `hello`, by sha256sum.
    const right = await builds.instantiate(
      derivation(kind, '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'),
    );
    const { outcome, started } = await build(builds, right);
    assert.deepEqual([outcome.status, started], ['alreadyValid', 0]);
    // And it does no harm when it is made once more.
    const again = await build(builds, wrong);
    assert.deepEqual([again.outcome.status, again.started], ['outputRejected', 1]);
  });

  test('is not kept where it refers to a store path: no hash would make it right', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const script = 'printf $out > $out';
    const drvPath = await builds.instantiate(derivation({ ...KINDS['a flat file'], script }));
    const { outcome } = await build(builds, drvPath);
    assert.equal(outcome.status, 'outputRejected');
    assert.deepEqual(await outputInfos(builds), []);
  });

  test('waits for nobody who makes it under its own name', async () => {
    await using scratch = await makeScratch();
    await using builds = await openBuildStore(scratch.path);
    const drvPath = await builds.instantiate(derivation(KINDS['a flat file']));
    const first = await build(builds, drvPath);
    const [info] = await outputInfos(builds);
    const path = String(info!.path);
    await output('nix-store', ['--delete', path], { env: builds.env });
    using _held = await builds.store.tryLockPath(parseStorePath(builds.store.storeDir, path));
    const second = await build(builds, drvPath);
    assert.equal(second.outcome.status, first.outcome.status);
    assert.deepEqual(await outputInfos(builds), []);
  });
});

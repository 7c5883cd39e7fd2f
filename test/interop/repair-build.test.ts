/** Repairs of what comes out with other contents when it is built again: what stock Nix and Sluice make of them. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { pathName, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { exitStatusOf } from '../../src/scheduler/build-outcome.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { type BuildStore, buildsMissing, openBuildStore, shellDerivation } from '../support/local-builds.ts';
import { output } from '../support/run.ts';
import { makeScratch } from '../support/scratch.ts';

/** A derivation whose outputs change with what lies at a file name. */
const moody = (mood: string): string =>
  `let
    one = ${shellDerivation('one', 'echo one > $out')};
    two = ${shellDerivation('two', 'echo two > $out')};
  in ${shellDerivation(
    'moody',
    `if [ -e ${mood} ]; then echo $two > $out; echo other > $lib; else echo $one > $out; echo lib > $lib; fi`,
    'inherit one two; outputs = [ "out" "lib" ];',
  )}`;

async function spoil({ store }: BuildStore, path: StorePath): Promise<void> {
  await chmod(store.realPath(path), 0o644);
  await writeFile(store.realPath(path), 'spoiled');
}

async function outputsOf({ store }: BuildStore): Promise<Record<'moody' | 'moody-lib', PathInfo>> {
  const infos = await store.queryPathInfos(await store.queryAllValidPaths());
  const named = [...infos.values()].map((info) => [pathName(info.path), info] as const);
  return Object.fromEntries(named.filter(([name]) => /^moody(?:-lib)?$/.test(name))) as Awaited<
    ReturnType<typeof outputsOf>
  >;
}

/** All but the time. */
const comparable = ({ path: _, deriver, registrationTime: __, references, ...info }: PathInfo): object => ({
  ...info,
  deriver: deriver && pathName(deriver),
  references: references.map(pathName).sort(),
});

describe('a repair that comes out with other contents', { skip: buildsMissing }, () => {
  for (const how of ['build', 'repair'] as const) {
    test(`${how}: they replace the old ones, and are registered, as with stock Nix`, async () => {
      await using scratch = await makeScratch();
      await using builds = await openBuildStore(join(scratch.path, 'store'));
      const { env, store } = builds;
      const mood = join(scratch.path, 'mood');
      const drvPath = await builds.instantiate(moody(mood));
      const realise = ['--realise', drvPath, '--option', 'sandbox', 'false'];
      await output('nix-store', realise, { env });
      const before = await outputsOf(builds);
      assert.deepEqual(before.moody.references.map(pathName), ['one']);
      await writeFile(mood, '');
      await spoil(builds, before.moody.path);
      {
        await using scheduler = await Scheduler.open({
          store: builds.uri,
          substituters: [],
          settings: { buildUsersGroup: '', sandbox: 'false', fsyncMetadata: false, workerThreads: 1 },
        });
        const outcomes =
          how === 'build'
            ? await scheduler.build([`${drvPath}^*`], { mode: 'repair' })
            : await scheduler.repair([before.moody.path]);
        assert.equal(exitStatusOf(outcomes), 0, JSON.stringify(outcomes));
      }
      const ours = await outputsOf(builds);
      assert.match(await readFile(store.realPath(ours.moody.path), 'utf8'), /-two\n$/);
      assert.equal(await readFile(store.realPath(ours['moody-lib'].path), 'utf8'), 'lib\n', 'what is good stays');
      assert.deepEqual(ours['moody-lib'], before['moody-lib']);
      await output('nix-store', ['--verify', '--check-contents'], { env });
      assert.deepEqual(
        (await readdir(store.realStoreDir)).filter((name) => /lock$|-tmp-/.test(name)),
        [],
      );

      await using stock = await openBuildStore(join(scratch.path, 'store'));
      const made = Object.values(ours).map(({ path }) => printStorePath(store.storeDir, path));
      await output('nix-store', ['--delete', ...made], { env });
      await rm(mood);
      await output('nix-store', realise, { env });
      await writeFile(mood, '');
      await spoil(stock, before.moody.path);
      await output('nix-store', [...realise, '--repair'], { env });
      const theirs = await outputsOf(stock);
      assert.deepEqual(comparable(ours.moody), comparable(theirs.moody));
    });
  }
});

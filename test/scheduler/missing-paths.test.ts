/** What a scheduler says of paths without fetching any. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { serveCache } from '../support/http-cache.ts';
import { makeScratch } from '../support/scratch.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { NAMED } from '../support/substituters.ts';

interface Setting extends AsyncDisposable {
  readonly cache: SmallCache;
  readonly scheduler: Scheduler;
  readonly root: string;
  /** What the full cache was asked for. */
  readonly requests: readonly string[];
}

/** A scheduler with an empty cache that is asked first, and one that has a small closure. */
async function setting(cacheInfo = '', trustedPublicKeys?: readonly string[]): Promise<Setting> {
  await using opened = new AsyncDisposableStack();
  const { path } = opened.use(await makeScratch());
  const cache = await smallCache(join(path, 'cache'));
  await writeFile(join(path, 'cache/nix-cache-info'), `StoreDir: /nix/store\nPriority: 40\n${cacheInfo}`);
  await mkdir(join(path, 'empty'));
  await writeFile(join(path, 'empty/nix-cache-info'), 'StoreDir: /nix/store\nPriority: 10\nWantMassQuery: 1\n');
  const [empty, full] = [opened.use(await serveCache(join(path, 'empty'))), opened.use(await serveCache(cache.dir))];
  const root = join(path, 'root');
  const settings = { workerThreads: 1, ...(trustedPublicKeys && { trustedPublicKeys }) };
  const substituters = [full.url, empty.url];
  const scheduler = opened.use(await Scheduler.open({ store: `local?root=${root}`, substituters, settings }));
  const resources = opened.move();
  return { cache, scheduler, root, requests: full.requests, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

describe('a scheduler that fetches nothing', () => {
  test('says what would be fetched, from where, and how much that is', async () => {
    await using given = await setting();
    const { base, lib, app } = given.cache;
    const lost = NAMED('lost');
    const missing = await given.scheduler.queryMissing([app.info.path, lost]);
    assert.deepEqual(
      missing.willSubstitute.map(({ path }) => path),
      [base, lib, app].map(({ info }) => info.path).sort(),
    );
    assert.deepEqual(missing.unknown, [lost]);
    assert.deepEqual(missing.willBuild, []);
    assert.equal(
      missing.narSize,
      [base, lib, app].reduce((sum, { info }) => sum + info.narSize, 0),
    );
    assert.ok(missing.downloadSize > 0);
    assert.ok(!given.requests.some((name) => name.startsWith('nar/')));
    assert.ok(!existsSync(join(given.root, given.cache.paths[2])));
  });

  test('leaves out what is valid', async () => {
    await using given = await setting();
    await given.scheduler.realise([given.cache.paths[1]]);
    const { willSubstitute } = await given.scheduler.queryMissing([given.cache.paths[2]]);
    assert.deepEqual(
      willSubstitute.map(({ path }) => path),
      [given.cache.app.info.path],
    );
  });

  test('asks many paths only of caches that want it', async () => {
    for (const wants of [true, false]) {
      await using given = await setting(wants ? 'WantMassQuery: 1\n' : '');
      const { app } = given.cache;
      const paths = [app.info.path, NAMED('lost')];
      const found = await given.scheduler.querySubstitutablePathInfos(paths);
      assert.deepEqual([...found.keys()], wants ? [app.info.path] : []);
      assert.equal(found.get(app.info.path)?.info.narSize, wants ? app.info.narSize : undefined);
      assert.deepEqual(await given.scheduler.querySubstitutablePaths(paths), new Set(found.keys()));
    }
  });

  test('stops where its signal aborts', async () => {
    await using given = await setting();
    const signal = AbortSignal.abort();
    await assert.rejects(given.scheduler.queryMissing([given.cache.paths[2]], { signal }), { name: 'AbortError' });
  });
});

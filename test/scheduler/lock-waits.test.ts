/** Locks that somebody else holds, for what has a goal: a path that is fetched, one that is repaired, an output that is built. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { StorePath } from '../../src/formats/store-path.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { openCommandBuilds } from '../support/command-builds.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { smallCache } from '../support/small-cache.ts';

const settings = {
  workerThreads: 1,
  fsyncStorePaths: false,
  fsyncMetadata: false,
  requireSigs: false,
  sandbox: 'false',
  buildUsersGroup: '',
};

/** Works while a lock is held, until it is told that it waits; then lets go of it. @returns what was told. */
async function workLocked<T extends { readonly state: string }>(
  scheduler: Scheduler,
  path: StorePath,
  work: () => Promise<readonly T[]>,
): Promise<string[]> {
  const told: string[] = [];
  scheduler.events.on('lockWaitStarted', (view) => told.push(`${view.subject} waits for ${view.path}`));
  scheduler.events.on('lockWaitEnded', (view) => told.push(`${view.subject} waited for ${view.path}`));
  const lock = (await scheduler.store.tryLockPath(path))!;
  const waiting = new Promise((resolve) => scheduler.events.once('lockWaitStarted', resolve));
  const working = work();
  await waiting;
  lock[Symbol.dispose]();
  const [result] = await working;
  assert.equal(result?.state, 'succeeded', JSON.stringify(result));
  return told;
}

describe('a lock that somebody else holds is told of', () => {
  test('where a path is fetched, and where it is repaired', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const cache = await smallCache(join(home, 'cache'));
    const store = await openTestStore(join(home, 'store'), resources, settings);
    const scheduler = resources.use(await Scheduler.open({ store, substituters: [cache.uri], settings }));
    const { path } = cache.base.info;
    const expected = [`${path} waits for ${path}`, `${path} waited for ${path}`];
    assert.deepEqual(await workLocked(scheduler, path, () => scheduler.realise([path])), expected);
    scheduler.events.removeAllListeners();
    assert.deepEqual(await workLocked(scheduler, path, () => scheduler.repair([path])), expected);
  });

  test('where an output is built', async () => {
    await using resources = new AsyncDisposableStack();
    const builds = await openCommandBuilds(resources);
    const { drvPath, out } = await builds.add('hello', 'echo hello > $out');
    const scheduler = resources.use(await Scheduler.open({ store: builds.uri, substituters: [], settings }));
    const told = await workLocked(scheduler, out, () => scheduler.build([`${builds.full(drvPath)}^*`]));
    assert.deepEqual(told, [`${drvPath} waits for ${out}`, `${drvPath} waited for ${out}`]);
  });
});

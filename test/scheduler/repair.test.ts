import assert from 'node:assert/strict';
import { chmodSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { printStorePath } from '../../src/formats/store-path.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { makeSettings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { openTestStore, temporaryDirectory } from '../support/local-store.ts';
import { type SmallCache, smallCache } from '../support/small-cache.ts';
import { add, makeBuiltObject } from '../support/store-objects.ts';
import { file } from '../support/trees.ts';

const settings = { workerThreads: 1, fsyncStorePaths: false };

interface Filled {
  readonly cache: SmallCache;
  readonly store: LocalStore;
  readonly scheduler: Scheduler;
}

async function filled(resources: AsyncDisposableStack, substituters?: readonly string[]): Promise<Filled> {
  const home = await temporaryDirectory(resources);
  const cache = await smallCache(join(home, 'cache'));
  const store = await openTestStore(join(home, 'store'), resources, settings);
  {
    await using scheduler = await Scheduler.open({ store, substituters: [cache.uri], settings });
    await scheduler.realise([cache.paths[2]]);
  }
  // Nothing is trusted: the registered hash is enough.
  const scheduler = await Scheduler.open({ store, substituters: substituters ?? [cache.uri], settings });
  resources.use(scheduler);
  return { cache, store, scheduler };
}

function modify(path: string): void {
  chmodSync(path, 0o644);
  writeFileSync(path, 'evil');
}

describe('repairing paths', () => {
  test('really repairs a path that is valid and modified', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources);
    const before = await store.queryPathInfo(cache.base.info.path);
    const realPath = store.realPath(cache.base.info.path);
    modify(realPath);
    assert.deepEqual(await scheduler.repair([cache.paths[0]]), [
      { state: 'succeeded', how: 'repaired', path: cache.base.info.path },
    ]);
    assert.equal(readFileSync(realPath, 'utf8'), 'base\n'.repeat(1000));
    assert.equal(lstatSync(realPath).mode & 0o7777, 0o444);
    assert.deepEqual(await store.queryPathInfo(cache.base.info.path), before, 'its row is as it was');
  });

  test('brings back what is missing, without looking at what it refers to', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources);
    await removeTree(store.realPath(cache.app.info.path));
    await removeTree(store.realPath(cache.lib.info.path));
    const [result] = await scheduler.repair([cache.paths[2]]);
    assert.deepEqual([result!.state, 'how' in result! && result!.how], ['succeeded', 'repaired']);
    assert.ok(lstatSync(store.realPath(cache.app.info.path)).isDirectory());
    assert.ok(!readdirSync(store.realStoreDir).includes(cache.lib.info.path));
  });

  test('does not touch what is good', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources, []);
    const inode = lstatSync(store.realPath(cache.app.info.path)).ino;
    assert.deepEqual(await scheduler.repair([cache.paths[2]]), [
      { state: 'succeeded', how: 'alreadyValid', path: cache.app.info.path },
    ]);
    assert.equal(lstatSync(store.realPath(cache.app.info.path)).ino, inode);
  });

  test('substitutes what is not valid, beside a request that does the same', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const cache = await smallCache(join(home, 'cache'));
    const store = join(home, 'store');
    await using scheduler = await Scheduler.open({ store, substituters: [cache.uri], settings });
    const [repaired, realised] = await Promise.all([
      scheduler.repair([cache.paths[2]]),
      scheduler.realise([cache.paths[2]]),
    ]);
    const path = cache.app.info.path;
    assert.deepEqual(repaired, [{ state: 'succeeded', how: 'substituted', path }]);
    assert.deepEqual(realised, [{ state: 'succeeded', how: 'substituted', path }]);
  });

  test('is not done by a request that realises the same path', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources);
    modify(store.realPath(cache.base.info.path));
    const [realised, repaired] = await Promise.all([
      scheduler.realise([cache.paths[0]]),
      scheduler.repair([cache.paths[0]]),
    ]);
    assert.equal('how' in realised[0]! && realised[0].how, 'alreadyValid');
    assert.equal('how' in repaired[0]! && repaired[0].how, 'repaired');
  });

  test('is done once where two want it', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources);
    await using other = await Scheduler.open({ store, substituters: [cache.uri], settings });
    modify(store.realPath(cache.base.info.path));
    const ends = await Promise.all([scheduler.repair([cache.paths[0]]), other.repair([cache.paths[0]])]);
    const hows = ends.map(([result]) => 'how' in result! && result.how);
    assert.deepEqual(hows.sort(), ['alreadyValid', 'repaired']);
  });

  test('fails, and leaves what is there, where no substituter has the path', async () => {
    await using resources = new AsyncDisposableStack();
    const { cache, store, scheduler } = await filled(resources, []);
    modify(store.realPath(cache.base.info.path));
    const [result] = await scheduler.repair([cache.paths[0]]);
    assert.equal(result!.state, 'noSubstituters');
    assert.match(
      'failure' in result! ? result.failure.message : '',
      /^cannot repair path '.*-base': there are no subst/,
    );
    assert.equal(readFileSync(store.realPath(cache.base.info.path), 'utf8'), 'evil');
  });

  test('takes nothing but what has the registered hash', async () => {
    await using resources = new AsyncDisposableStack();
    const home = await temporaryDirectory(resources);
    const [ours, theirs] = await Promise.all([
      makeBuiltObject('tool', file('ours')),
      makeBuiltObject('tool', file('theirs')),
    ]);
    const trusting = { ...settings, requireSigs: false };
    const store = await openTestStore(join(home, 'store'), resources, trusting);
    await add(store, ours);
    const uri = `file://${home}/cache`;
    {
      await using cache = await openStore(uri, makeSettings());
      await add(cache, theirs);
    }
    modify(store.realPath(ours.info.path));
    await using scheduler = await Scheduler.open({ store, substituters: [uri], settings: trusting });
    const [result] = await scheduler.repair([printStorePath(store.storeDir, ours.info.path)]);
    assert.equal(result!.state, 'failed');
    assert.match('failure' in result! ? result.failure.message : '', /^mismatch in what 'file:.*' has as '.*-tool'/);
    assert.equal(readFileSync(store.realPath(ours.info.path), 'utf8'), 'evil');
  });
});

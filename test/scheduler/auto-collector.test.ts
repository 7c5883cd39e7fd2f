import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GarbageCollection } from '../../src/goals/events.ts';
import type { WorkerPool } from '../../src/pool/worker-pool.ts';
import { AutoCollector } from '../../src/scheduler/auto-collector.ts';
import type { CollectOptions, CollectResult } from '../../src/scheduler/collect-garbage.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';

const RESULT: CollectResult = { deleted: 3, bytesFreed: 30, refused: [], problems: [], saved: 0 };

/** An automatic collector on a disk with so much room, one figure a look; and what it does. */
function make(free: number[], settings: Partial<Settings>, fails = false) {
  const begun: (number | undefined)[] = [];
  const finished: GarbageCollection[] = [];
  const collector = new AutoCollector({
    store: {} as LocalStore,
    pool: {} as WorkerPool,
    settings: makeSettings({ minFreeCheckInterval: 0, ...settings }),
    freeSpace: async () => free.shift(),
    collect: async ({ maxFreed }: CollectOptions) => {
      begun.push(maxFreed);
      if (fails) throw new Error('no luck');
      return RESULT;
    },
    onFinished: (result) => void finished.push(result),
  });
  const check = async (): Promise<void> => {
    collector.check();
    await collector[Symbol.asyncDispose]();
  };
  return { collector, check, begun, finished };
}

describe('collection while transfers run', () => {
  test('begins where less than min-free is free, and frees what max-free lacks', async () => {
    const { check, begun, finished } = make([99, 500], { minFree: 100, maxFree: 500 });
    await check();
    assert.deepEqual(begun, [401]);
    assert.deepEqual(finished, [{ state: 'succeeded', deleted: 3, bytesFreed: 30 }]);
  });

  for (const [why, free, settings] of [
    ['as much is free', 100, { minFree: 100, maxFree: 500 }],
    ['max-free is less than that', 50, { minFree: 100, maxFree: 50 }],
    ['min-free is not set', 0, {}],
  ] as const) {
    test(`does not begin where ${why}`, async () => {
      const { check, begun } = make([free], settings);
      await check();
      assert.deepEqual(begun, []);
    });
  }

  test('does not begin again where the last one did not help', async () => {
    const { check, begun } = make([50, 60, 59, 50, 60], { minFree: 100, maxFree: 500 });
    await check();
    await check();
    assert.deepEqual(begun, [450]);
    await check();
    assert.deepEqual(begun, [450, 450]);
  });

  test('is one at a time, and looks at the disk no more often than it is told', async () => {
    const { collector, check, begun } = make([50, 500, 50, 500], {
      minFree: 100,
      maxFree: 500,
      minFreeCheckInterval: 100,
    });
    collector.check();
    await check();
    await check();
    assert.deepEqual(begun, [450]);
  });

  test('makes room for what needs it where less is free, whatever min-free is', async () => {
    const { collector, begun } = make([400, 900, 700], { minFree: 100, maxFree: 500 });
    await collector.makeRoom(600);
    assert.deepEqual(begun, [200]);
    await collector.makeRoom(600); // 900 are free now, as far as is known
    assert.deepEqual(begun, [200]);
  });

  test('makes room for several at once, and not again where that did not help', async () => {
    const { collector, begun } = make([400, 410, 410, 410], { minFree: 100, maxFree: 500 });
    await Promise.all([collector.makeRoom(600), collector.makeRoom(600), collector.makeRoom(600)]);
    assert.deepEqual(begun, [200]);
  });

  test('makes room again where the last one ended because it was enough', async () => {
    const { collector, begun } = make([10, 20, 20], { minFree: 15, maxFree: 20 }); // RESULT frees 30
    await collector.makeRoom(0);
    await collector.makeRoom(40);
    assert.deepEqual(begun, [10, 20]);
  });

  test('makes no room where min-free is not set, or nobody knows what is free', async () => {
    const { collector, begun } = make([0], {});
    await collector.makeRoom(100);
    assert.deepEqual(begun, []);
    const unknown = make([], { minFree: 100 });
    await unknown.collector.makeRoom(100);
    await unknown.check();
    assert.deepEqual(unknown.begun, []);
  });

  test('that fails says so and harms nobody', async () => {
    const { check, finished } = make([50], { minFree: 100, maxFree: 500 }, true);
    await check();
    assert.equal(finished[0]?.state, 'failed');
  });
});

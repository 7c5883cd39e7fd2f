import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OutputLocks } from '../../src/scheduler/output-locks.ts';
import { emptyStore } from '../support/local-store.ts';
import { NAMED } from '../support/substituters.ts';

const [a, b, c] = ['a', 'b', 'c'].map(NAMED) as [
  ReturnType<typeof NAMED>,
  ReturnType<typeof NAMED>,
  ReturnType<typeof NAMED>,
];
const { signal } = new AbortController();

describe('locks of outputs', () => {
  test('are taken all or none, once in a process and once among processes', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const [ours, theirs] = [new OutputLocks(store), new OutputLocks(store)];
    {
      using _held = (await ours.tryLock([b, a]))!;
      assert.equal(ours.held, 2);
      assert.equal(await ours.tryLock([c, b]), undefined);
      assert.equal(await theirs.tryLock([c, b]), undefined);
      assert.deepEqual([ours.held, theirs.held], [2, 0], 'nothing of what was tried is held');
      using _other = (await theirs.tryLock([c]))!;
    }
    using _now = (await theirs.tryLock([a, b, c]))!;
    assert.equal(ours.held, 0);
  });

  test('that are given back wake all who wait for one of them', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const locks = new OutputLocks(store);
    const held = (await locks.tryLock([a, b]))!;
    const woken: string[] = [];
    const waiting = [[a], [b, c]].map(async (paths) => {
      await locks.change(paths, signal);
      woken.push(paths.map((path) => path.slice(-1)).join(''));
    });
    held[Symbol.dispose]();
    await Promise.all(waiting);
    assert.deepEqual(woken.sort(), ['a', 'bc']);
  });

  test('of other processes are looked at again after a while', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const [ours, theirs] = [new OutputLocks(store), new OutputLocks(store)];
    using _held = await theirs.tryLock([a]);
    await ours.change([a], signal);
  });

  test('are not waited for any more by who is not needed', async () => {
    await using resources = new AsyncDisposableStack();
    const { store } = await emptyStore(resources);
    const locks = new OutputLocks(store);
    using _held = (await locks.tryLock([a]))!;
    const controller = new AbortController();
    const waiting = locks.change([a], controller.signal);
    controller.abort(new Error('stop'));
    await assert.rejects(waiting, /stop/);
  });
});

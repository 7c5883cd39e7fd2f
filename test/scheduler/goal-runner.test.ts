import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { EventEmitter } from 'eventemitter3';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import type { GoalResult } from '../../src/goals/goal.ts';
import { GoalRunner } from '../../src/scheduler/goal-runner.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import type { LocalStore } from '../../src/stores/local-store.ts';
import { Trust } from '../../src/stores/trust.ts';
import { addDerivations, type MadeDerivation, makeDerivation } from '../support/derivations.ts';
import { FakeBuilder, type Handlers } from '../support/fake-builder.ts';
import { emptyStore } from '../support/local-store.ts';

interface Setting extends AsyncDisposable {
  readonly store: LocalStore;
  readonly builder: FakeBuilder;
  readonly runner: GoalRunner;
  readonly events: EventEmitter<SchedulerEvents>;
}

async function setting(handlers: Handlers = {}, settings: Partial<Settings> = {}): Promise<Setting> {
  await using resources = new AsyncDisposableStack();
  const all = makeSettings({ system: 'x86_64-linux', fsyncStorePaths: false, substitute: false, ...settings });
  const { store } = await emptyStore(resources, all);
  const builder = new FakeBuilder(handlers);
  const events = new EventEmitter<SchedulerEvents>();
  const runner = resources.use(
    new GoalRunner({
      store,
      settings: all,
      trust: new Trust(all),
      events,
      pool: builder,
      machines: { machines: [], shared: { whileLocked: (action) => action(), trySlot: () => undefined } },
      collector: { check: () => {}, makeRoom: async () => {} },
      substituters: () => [],
    }),
  );
  const opened = resources.move();
  return { store, builder, runner, events, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const build = (runner: GoalRunner, ...made: readonly MadeDerivation[]): Promise<GoalResult[]> =>
  runner.request(made.map(({ drvPath }) => ({ kind: 'outputs', drvPath, outputs: 'all', mode: 'normal' })));

describe('builds', () => {
  test('of a derivation come after those of its inputs, and make all valid', async () => {
    await using given = await setting();
    const [lib] = [makeDerivation({ name: 'lib', outputs: ['out', 'dev'] })];
    const app = makeDerivation({ name: 'app', inputs: [[lib, 'dev', 'out']] });
    await addDerivations(given.store, lib, app);
    const [result] = await build(given.runner, app);
    assert.ok(result?.state === 'succeeded');
    assert.equal(result.how, 'built');
    assert.deepEqual(given.builder.started, [lib.drvPath, app.drvPath]);
    assert.equal(await readFile(given.store.realPath(app.out), 'utf8'), 'out of app\n');
    assert.ok((await given.store.queryPathInfo(app.out))?.ultimate);
    const [again] = await build(given.runner, app);
    assert.ok(again?.state === 'succeeded');
    assert.equal(again.how, 'alreadyValid');
    const names = await readdir(given.store.realStoreDir);
    assert.deepEqual(
      names.filter((name) => name.endsWith('.lock')),
      [],
    );
  });
});

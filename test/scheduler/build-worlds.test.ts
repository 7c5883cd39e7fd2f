/** Whatever happens in whichever order: see test/support/build-worlds.ts for what may happen. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import type { GoalResult } from '../../src/goals/goal.ts';
import type { GoalRequest } from '../../src/scheduler/goal-runner.ts';
import { anyWorld, type RunningWorld, runWorld } from '../support/build-worlds.ts';

/** In milliseconds; a world takes less than a hundredth of that. */
const PATIENCE = 10_000;

interface Ask {
  /** Numbers of derivations. */
  readonly wanted: readonly number[];
  /** After so many turns of the event loop it is asked; after so many more, aborted. */
  readonly after: number;
  readonly abortedAfter: number | undefined;
  readonly outputs: 'all' | 'first';
}

const anyAsk: fc.Arbitrary<Ask> = fc.record({
  wanted: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
  after: fc.nat({ max: 20 }),
  abortedAfter: fc.option(fc.nat({ max: 30 }), { nil: undefined, freq: 3 }),
  outputs: fc.constantFrom('all', 'first'),
});

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A world in which nothing happens any more, though somebody waits. */
async function stuck(): Promise<never> {
  await setTimeout(PATIENCE, undefined, { ref: false });
  throw new Error('it goes on for ever');
}

async function ask(world: RunningWorld, { wanted, after, abortedAfter, outputs }: Ask): Promise<void> {
  const { made, runner, store } = world;
  const ids = [...new Set(wanted.map((id) => id % made.length))];
  const requests = ids.map((id): GoalRequest => {
    const { drvPath, derivation } = made[id]!;
    const names = outputs === 'all' ? outputs : [...derivation.outputs.keys()].slice(0, 1);
    return { kind: 'outputs', drvPath, outputs: names, mode: 'normal' };
  });
  await turns(after);
  const controller = new AbortController();
  if (abortedAfter !== undefined) void turns(abortedAfter).then(() => controller.abort(new Error('as asked')));
  let results: GoalResult[];
  try {
    results = await runner.request(requests, controller.signal);
  } catch (error) {
    assert.equal(error, controller.signal.reason);
    return;
  }
  for (const [index, result] of results.entries()) {
    const id = ids[index]!;
    if (result.state === 'succeeded') {
      const paths = [...result.outputs!.values()];
      assert.ok(paths.length > 0 && paths.every((path) => store.valid.has(path)), `drv-${id} is not valid`);
    } else {
      assert.notEqual(result.state, 'noSubstituters');
      if (world.keepGoing) assert.ok(!world.attainable.has(id), `drv-${id} could be had, but ${describe(result)}`);
    }
  }
  if (!world.keepGoing && results.some(({ state }) => state === 'cancelled')) {
    assert.ok(
      results.some(({ state }) => state !== 'cancelled' && state !== 'succeeded'),
      'all cancelled for nothing',
    );
  }
}

const describe = (result: GoalResult): string => ('failure' in result ? result.failure.message : result.state);

test('builds and substitutions of any graph, with failures, machines that break off, and requests that come and go', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(anyWorld, fc.array(anyAsk, { minLength: 1, maxLength: 4 }), async (world, asks) => {
      const dir = mkdtempSync(join(scratch, `${runs++}-`));
      {
        const running = runWorld(world, dir); // where it is stuck, there is no end to wait for
        const begun = new Map<string, number>();
        const count = (change: number) => (view: { readonly drvPath: string }) => {
          begun.set(view.drvPath, (begun.get(view.drvPath) ?? 0) + change);
        };
        running.events.on('buildExpected', count(1));
        running.events.on('buildFinished', count(-1));
        running.events.on('buildFailed', count(-1));
        await Promise.race([Promise.all(asks.map((each) => ask(running, each))), stuck()]);
        assert.deepEqual(running.wrongs, []);
        assert.equal(running.builder.twice, false, 'a derivation was built while it was being built');
        assert.deepEqual([...running.store.locked], [], 'all locks are free');
        assert.deepEqual(
          [...begun].filter(([, balance]) => balance !== 0),
          [],
          'what is said to begin is said to end',
        );
        assert.deepEqual(running.runner.slotsTaken, 0, 'all slots are free');
        await running[Symbol.asyncDispose]();
      }
      rmSync(dir, { recursive: true });
    }),
    { numRuns: 150 },
  );
  rmSync(scratch, { recursive: true });
});

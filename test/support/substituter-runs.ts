/** Whole runs of a scheduler in this process, timed: a {@link LayeredCache} is substituted into a fresh store. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import type { Settings } from '../../src/settings.ts';
import type { LayeredCache } from './layered-cache.ts';
import { makeScratch } from './scratch.ts';

export interface Run {
  /** From before anything is opened until all is released. */
  readonly milliseconds: number;
  /** How many paths came from each substituter, by URI. */
  readonly delivered: ReadonlyMap<string, number>;
  readonly failures: readonly SchedulerEvents['substituterFailed'][0][];
  /** URIs of substituters, once for each time. */
  readonly setAside: readonly string[];
}

/** @throws {AssertionError} where not all paths are valid in the end. */
export async function runFrom(
  cache: LayeredCache,
  substituters: readonly string[],
  settings: Partial<Settings> = {},
): Promise<Run> {
  await using scratch = await makeScratch();
  const started = performance.now();
  const delivered = new Map(substituters.map((uri) => [uri, 0]));
  const failures: SchedulerEvents['substituterFailed'][0][] = [];
  const setAside: string[] = [];
  {
    await using scheduler = await Scheduler.open({
      store: join(scratch.path, 'store'),
      substituters,
      settings: { trustedPublicKeys: [cache.publicKey], ...settings },
    });
    const { events, store } = scheduler;
    events.on('transferFinished', ({ substituter }) => delivered.set(substituter, delivered.get(substituter)! + 1));
    events.on('substituterFailed', (failure) => failures.push(failure));
    events.on('substituterSetAside', ({ substituter }) => setAside.push(substituter));
    const result = (await scheduler.realise([cache.top]))[0]!;
    if (result.state !== 'succeeded') throw 'failure' in result ? result.failure : new Error(result.state);
    assert.deepEqual((await store.queryAllValidPaths()).toSorted(), cache.paths.toSorted());
  }
  return { milliseconds: performance.now() - started, delivered, failures, setAside };
}

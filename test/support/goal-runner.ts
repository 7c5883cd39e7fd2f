/** A goal runner at work in a made-up world, for tests of what goals of derivations come to. */
import { EventEmitter } from 'eventemitter3';
import type { Machine } from '../../src/formats/machines.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import type { GoalResult, WantedOutputs } from '../../src/goals/goal.ts';
import { type GoalRequest, GoalRunner } from '../../src/scheduler/goal-runner.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { Trust } from '../../src/stores/trust.ts';
import { Substituter } from '../../src/substituters/substituter.ts';
import type { MadeDerivation } from './derivations.ts';
import { FakeBuilder, type Handlers } from './fake-builder.ts';
import { MemoryGoalStore } from './memory-goal-store.ts';
import { makeScratch } from './scratch.ts';
import { ScriptedStore } from './substituters.ts';

export interface RunnerOptions {
  readonly derivations: readonly MadeDerivation[];
  readonly settings?: Partial<Settings>;
  /** What a substituter has, and what each refers to. */
  readonly cache?: ReadonlyMap<StorePath, readonly StorePath[]>;
  readonly handlers?: Handlers;
  readonly machines?: readonly Machine[];
}

export interface RunnerSetting extends AsyncDisposable {
  readonly store: MemoryGoalStore;
  readonly builder: FakeBuilder;
  readonly runner: GoalRunner;
  readonly events: EventEmitter<SchedulerEvents>;
  build(made: MadeDerivation, outputs?: WantedOutputs, mode?: 'normal' | 'check' | 'repair'): Promise<GoalResult>;
}

/** A goal runner with a store in memory, a builder that only claims to build, and at most one substituter. */
export async function openRunner(options: RunnerOptions): Promise<RunnerSetting> {
  await using resources = new AsyncDisposableStack();
  const settings = makeSettings({ system: 'x86_64-linux', requireSigs: false, ...options.settings });
  const store = new MemoryGoalStore(resources.use(await makeScratch()).path);
  store.addDerivations(...options.derivations);
  const transferred = { downloadedBytes: 1, retries: 0, timings: NO_TIME };
  const builder = new FakeBuilder({ substitute: async () => transferred, ...options.handlers });
  const events = new EventEmitter<SchedulerEvents>();
  const cache = new ScriptedStore('cache', (asked) => {
    const references = options.cache?.get(asked.path);
    if (references === undefined) asked.lacks();
    else asked.has(references);
  });
  const substituter = new Substituter(cache, { connectTimeout: 0, connections: 0 });
  const runner = resources.use(
    new GoalRunner({
      store,
      settings,
      trust: new Trust(settings),
      events,
      pool: builder,
      machines: {
        machines: options.machines ?? [],
        shared: { whileLocked: (action) => action(), trySlot: () => new DisposableStack() },
      },
      collector: { check: () => {}, makeRoom: async () => {} },
      substituters: () => (options.cache === undefined ? [] : [substituter]),
    }),
  );
  const opened = resources.move();
  return {
    store,
    builder,
    runner,
    events,
    build: async ({ drvPath }, outputs = 'all', mode = 'normal') => {
      const [result] = await runner.request([{ kind: 'outputs', drvPath, outputs, mode }]);
      return result!;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const NO_TIME = { thread: 0, started: 0, wait: 0, unpack: 0, decode: 0, hash: 0, write: 0 };
export const request = ({ drvPath }: MadeDerivation): GoalRequest => ({
  kind: 'outputs',
  drvPath,
  outputs: 'all',
  mode: 'normal',
});
/** How it went, in short. */
export const outcome = (result: GoalResult): string =>
  'failure' in result ? result.failure.message : result.state === 'succeeded' ? result.how : result.state;

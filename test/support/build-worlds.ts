/**
 * Random graphs of derivations, with substitutes for some of their outputs, machines, and failures of all kinds: what
 * there is to do, what can be had of it, and a scheduler that does it.
 */
import { EventEmitter } from 'eventemitter3';
import fc from 'fast-check';
import { BuildError, TransferError } from '../../src/errors.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import type { BuildRequest } from '../../src/pool/messages.ts';
import type { RunOptions } from '../../src/pool/worker-pool.ts';
import { GoalRunner } from '../../src/scheduler/goal-runner.ts';
import { makeSettings } from '../../src/settings.ts';
import { Trust } from '../../src/stores/trust.ts';
import { Substituter } from '../../src/substituters/substituter.ts';
import { type MadeDerivation, makeDerivation } from './derivations.ts';
import { buildOutputs, FakeBuilder } from './fake-builder.ts';
import { MemoryGoalStore } from './memory-goal-store.ts';
import { ScriptedStore } from './substituters.ts';

/** One derivation: `needs` are numbers of earlier ones. */
export interface WorldSpec {
  readonly needs: readonly number[];
  readonly outputs: 1 | 2;
  readonly build: 'succeeds' | 'fails';
  /** Turns of the event loop that a build takes. */
  readonly turns: number;
  readonly kind: 'plain' | 'local' | 'foreign' | 'download' | 'noSubstitutes';
  /** By output: whether a substituter has it, and whether its transfer works. */
  readonly substitutes: readonly ('none' | 'has' | 'broken')[];
}

export interface World {
  readonly specs: readonly WorldSpec[];
  readonly keepGoing: boolean;
  readonly fallback: boolean;
  readonly maxJobs: number;
  /** Jobs of each machine, and after how many builds it breaks off, every time. */
  readonly machines: readonly { readonly maxJobs: number; readonly breaksAfter: number }[];
}

const anySpec: fc.Arbitrary<WorldSpec> = fc.record({
  needs: fc.array(fc.nat(), { maxLength: 3 }),
  outputs: fc.constantFrom(1 as const, 2 as const),
  build: fc.oneof(
    { weight: 6, arbitrary: fc.constant('succeeds' as const) },
    { weight: 1, arbitrary: fc.constant('fails' as const) },
  ),
  turns: fc.nat({ max: 4 }),
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant('plain' as const) },
    { weight: 1, arbitrary: fc.constantFrom('local', 'foreign', 'download', 'noSubstitutes' as const) },
  ),
  substitutes: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant('none' as const) },
      { weight: 2, arbitrary: fc.constant('has' as const) },
      { weight: 1, arbitrary: fc.constant('broken' as const) },
    ),
    { minLength: 2, maxLength: 2 },
  ),
});

export const anyWorld: fc.Arbitrary<World> = fc.record({
  specs: fc
    .array(anySpec, { minLength: 1, maxLength: 10 })
    .map((specs) =>
      specs.map((spec, id) => ({ ...spec, needs: id === 0 ? [] : [...new Set(spec.needs.map((need) => need % id))] })),
    ),
  keepGoing: fc.boolean(),
  fallback: fc.boolean(),
  maxJobs: fc.integer({ min: 1, max: 3 }),
  machines: fc.array(fc.record({ maxJobs: fc.integer({ min: 1, max: 2 }), breaksAfter: fc.constantFrom(0, 1, 100) }), {
    maxLength: 2,
  }),
});

/** A world at work. Disposing waits for all that runs. */
export interface RunningWorld extends AsyncDisposable {
  readonly runner: GoalRunner;
  readonly store: MemoryGoalStore;
  readonly builder: FakeBuilder;
  readonly events: EventEmitter<SchedulerEvents>;
  readonly made: readonly MadeDerivation[];
  /** What went wrong that must not: more builds at once than there are slots, for example. */
  readonly wrongs: string[];
  readonly keepGoing: boolean;
  /** Derivations whose outputs can be had in any case, by number. */
  readonly attainable: ReadonlySet<number>;
}

const FOREIGN = 'aarch64-linux';

/** @param dir - an empty directory. */
export function runWorld(world: World, dir: string): RunningWorld {
  const { specs, machines } = world;
  const made = makeAll(specs);
  const numbers = new Map(made.map(({ drvPath }, id) => [drvPath, id]));
  const store = new MemoryGoalStore(dir);
  store.addDerivations(...made);
  const wrongs = store.wrongs;
  const settings = makeSettings({
    system: 'x86_64-linux',
    keepGoing: world.keepGoing,
    fallback: world.fallback,
    maxJobs: world.maxJobs,
    requireSigs: false,
  });
  const counts = new Map<string, number>();
  const most = new Map(machines.map(({ maxJobs }, id) => [uriOf(id), maxJobs]));
  most.set('here', world.maxJobs);

  const build = async (place: string, request: BuildRequest, { signal }: RunOptions): Promise<never> => {
    const running = (counts.get(place) ?? 0) + 1;
    counts.set(place, running);
    using counted = new DisposableStack();
    counted.defer(() => counts.set(place, counts.get(place)! - 1));
    if (running > most.get(place)!) wrongs.push(`${running} builds on ${place}`);
    for (const { path } of request.outputs)
      if (!store.locked.has(path)) wrongs.push(`${path} is built without its lock`);
    for (const path of request.inputPaths) if (!store.valid.has(path)) wrongs.push(`input ${path} is not valid`);
    const spec = specs[numbers.get(request.drvPath)!]!;
    for (let turns = 0; turns < spec.turns; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
    if (spec.build === 'fails') throw new BuildError('as asked', { failure: { status: 'permanentFailure' } });
    return undefined as never;
  };
  let clock = 0;
  const used = machines.map(() => 0);
  const builder = new FakeBuilder({
    build: async (request, options) => {
      await build(request.derivation.builder === 'builtin:fetchurl' ? 'downloads' : 'here', request, options);
      return await buildOutputs(request, () => directInputs(made[numbers.get(request.drvPath)!]!, made));
    },
    remoteBuild: async ({ on, ...request }, options) => {
      const id = machines.findIndex((_, index) => uriOf(index) === on);
      if (used[id]!++ >= machines[id]!.breaksAfter) throw new TransferError('as asked');
      await build(on, request, options);
      return await buildOutputs(request, () => directInputs(made[numbers.get(request.drvPath)!]!, made));
    },
    substitute: async ({ info }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (substituteOf(info.path) === 'broken') throw new TransferError('as asked');
      return { downloadedBytes: 1, retries: 0, timings: NO_TIME };
    },
  });
  most.set('downloads', settings.maxSubstitutionJobs);

  const owners = new Map<StorePath, readonly [id: number, output: number]>();
  for (const [id, { derivation }] of made.entries()) {
    for (const [output, { path }] of [...derivation.outputs.values()].entries()) owners.set(path, [id, output]);
  }
  const substituteOf = (path: StorePath): WorldSpec['substitutes'][number] => {
    const owner = owners.get(path);
    return owner === undefined ? 'none' : specs[owner[0]]!.substitutes[owner[1]]!;
  };
  const cache = new ScriptedStore('cache', (asked) => {
    if (substituteOf(asked.path) === 'none') asked.lacks();
    else asked.has(directInputs(made[owners.get(asked.path)![0]]!, made));
  });
  const substituter = new Substituter(cache, { connectTimeout: 0, connections: 0 });
  const events = new EventEmitter<SchedulerEvents>();
  const runner = new GoalRunner({
    store,
    settings,
    trust: new Trust(settings),
    events,
    pool: builder,
    machines: {
      machines: machines.map(({ maxJobs }, id) => ({
        store: uriOf(id),
        systems: ['x86_64-linux', FOREIGN],
        maxJobs,
        speedFactor: 1,
        supportedFeatures: [],
        mandatoryFeatures: [],
      })),
      shared: { whileLocked: (action) => action(), trySlot: () => new DisposableStack() },
      now: () => (clock += 100_000), // a machine that was set aside is tried again at the next opportunity
    },
    collector: { check: () => {}, makeRoom: async () => {} },
    substituters: () => [substituter],
  });
  return {
    runner,
    store,
    builder,
    events,
    made,
    wrongs,
    keepGoing: world.keepGoing,
    attainable: attainable(world, made, substituteOf),
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  };
}

const NO_TIME = { thread: 0, started: 0, wait: 0, unpack: 0, decode: 0, hash: 0, write: 0 };
const uriOf = (id: number): string => `ssh://machine-${id}`;

function makeAll(specs: readonly WorldSpec[]): MadeDerivation[] {
  const made: MadeDerivation[] = [];
  for (const [id, { needs, outputs, kind }] of specs.entries()) {
    made.push(
      makeDerivation({
        name: `drv-${id}`,
        outputs: outputs === 1 ? ['out'] : ['dev', 'out'],
        inputs: needs.map(
          (need) => [made[need]!, need % 2 === 1 && specs[need]!.outputs === 2 ? 'dev' : 'out'] as const,
        ),
        ...(kind === 'foreign' && { system: FOREIGN }),
        ...(kind === 'download' && { builder: 'builtin:fetchurl' }),
        env: {
          ...(kind === 'local' && { preferLocalBuild: '1' }),
          ...(kind === 'noSubstitutes' && { allowSubstitutes: '' }),
        },
      }),
    );
  }
  return made;
}

/** The outputs that a derivation needs by name: what its own outputs refer to. */
function directInputs({ derivation }: MadeDerivation, made: readonly MadeDerivation[]): StorePath[] {
  return Array.from(derivation.inputDrvs, ([drvPath, names]) => {
    const { outputs } = made.find((each) => each.drvPath === drvPath)!.derivation;
    return names.map((name) => outputs.get(name)!.path);
  }).flat();
}

/**
 * Derivations that a scheduler which keeps going must make valid, whatever happens in whichever order. More may become
 * valid, where by chance somebody else has made what a closure lacked.
 */
function attainable(
  { specs, fallback, machines }: World,
  made: readonly MadeDerivation[],
  substituteOf: (path: StorePath) => WorldSpec['substitutes'][number],
): Set<number> {
  const isReliable = machines.some(({ breaksAfter }) => breaksAfter >= 100);
  const canRun = ({ kind, build }: WorldSpec): boolean => build === 'succeeds' && (kind !== 'foreign' || isReliable);
  const byPath = new Map(
    made.flatMap((each, id) => Array.from(each.derivation.outputs.values(), ({ path }) => [path, id] as const)),
  );
  /** What becomes of a closure out of the substituter, if nothing else makes any of it. */
  const fetched = (path: StorePath): 'good' | 'none' | 'broken' => {
    const state = substituteOf(path);
    if (state === 'none') return 'none';
    const all = directInputs(made[byPath.get(path)!]!, made).map(fetched);
    if (state === 'broken' || all.includes('broken')) return 'broken';
    return all.includes('none') ? 'none' : 'good';
  };
  const ok = new Set<number>();
  for (const [id, spec] of specs.entries()) {
    const outputs = [...made[id]!.derivation.outputs.values()].map(({ path }) => fetched(path));
    const states = spec.kind === 'noSubstitutes' ? [] : outputs;
    if (states.length > 0 && states.every((state) => state === 'good')) ok.add(id);
    else if (states.includes('broken') && !fallback) continue;
    else if (canRun(spec) && spec.needs.every((need) => ok.has(need))) ok.add(id);
  }
  return ok;
}

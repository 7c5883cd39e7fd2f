import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EventEmitter } from 'eventemitter3';
import { BuildError, TransferError } from '../../src/errors.ts';
import type { Machine } from '../../src/formats/machines.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents } from '../../src/goals/events.ts';
import type { GoalResult, WantedOutputs } from '../../src/goals/goal.ts';
import type { BuildReply, BuildRequest } from '../../src/pool/messages.ts';
import { exitStatusOf } from '../../src/scheduler/build-outcome.ts';
import { type GoalRequest, GoalRunner } from '../../src/scheduler/goal-runner.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { Trust } from '../../src/stores/trust.ts';
import { Substituter } from '../../src/substituters/substituter.ts';
import { type MadeDerivation, makeDerivation } from '../support/derivations.ts';
import { buildOutputs, FakeBuilder, type Handlers } from '../support/fake-builder.ts';
import { MemoryGoalStore } from '../support/memory-goal-store.ts';
import { makeScratch } from '../support/scratch.ts';
import { ScriptedStore } from '../support/substituters.ts';

interface Options {
  readonly derivations: readonly MadeDerivation[];
  readonly settings?: Partial<Settings>;
  /** What a substituter has, and what each refers to. */
  readonly cache?: ReadonlyMap<StorePath, readonly StorePath[]>;
  readonly handlers?: Handlers;
  readonly machines?: readonly Machine[];
}

interface Setting extends AsyncDisposable {
  readonly store: MemoryGoalStore;
  readonly builder: FakeBuilder;
  readonly runner: GoalRunner;
  readonly events: EventEmitter<SchedulerEvents>;
  build(made: MadeDerivation, outputs?: WantedOutputs, mode?: 'normal' | 'check' | 'repair'): Promise<GoalResult>;
}

async function setting(options: Options): Promise<Setting> {
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
const request = ({ drvPath }: MadeDerivation): GoalRequest => ({
  kind: 'outputs',
  drvPath,
  outputs: 'all',
  mode: 'normal',
});
const names = (drvPaths: readonly StorePath[]): string[] => drvPaths.map((path) => path.slice(33, -4));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const outcome = (result: GoalResult): string =>
  'failure' in result ? result.failure.message : result.state === 'succeeded' ? result.how : result.state;

function statusOf(result: GoalResult): string | undefined {
  return 'failure' in result && result.failure instanceof BuildError ? result.failure.failure.status : undefined;
}

/** Builds that wait until a test lets them end. */
class Gate {
  readonly #waiting = new Map<string, () => void>();

  readonly handlers: Handlers = {
    build: async (asked) => {
      await new Promise<void>((resolve) => this.#waiting.set(asked.derivation.name, resolve));
      return await buildOutputs(asked);
    },
  };

  open(name: string): void {
    this.#waiting.get(name)!();
    this.#waiting.delete(name);
  }

  /** Waits until exactly these are under way. */
  async expect(...wanted: readonly string[]): Promise<void> {
    const now = (): string => [...this.#waiting.keys()].sort().join();
    for (let turns = 0; now() !== wanted.toSorted().join() && turns < 100_000; turns++) await turn();
    for (let turns = 0; turns < 50; turns++) await turn();
    assert.equal(now(), wanted.toSorted().join());
  }
}

const lib = makeDerivation({ name: 'lib', outputs: ['out', 'dev'] });
const dev = lib.derivation.outputs.get('dev')!.path;
const app = makeDerivation({ name: 'app', inputs: [[lib, 'dev']] });
const fails = async (): Promise<never> => {
  throw new BuildError('as asked', { failure: { status: 'permanentFailure' } });
};

describe('outputs of a derivation', () => {
  test('that are valid need nothing', async () => {
    await using given = await setting({ derivations: [lib, app] });
    await given.build(app);
    const result = await given.build(app);
    assert.deepEqual(result, { state: 'succeeded', how: 'alreadyValid', outputs: new Map([['out', app.out]]) });
    assert.deepEqual(names(given.builder.started), ['lib', 'app']);
  });

  test('are substituted where a substituter has them, without anything else of the derivation', async () => {
    await using given = await setting({ derivations: [lib, app], cache: new Map([[app.out, []]]) });
    assert.equal(outcome(await given.build(app)), 'substituted');
    assert.deepEqual([given.builder.started, given.store.valid.has(lib.out)], [[], false]);
  });

  test('are built, with inputs from a substituter, where no substituter has them', async () => {
    await using given = await setting({ derivations: [lib, app], cache: new Map([[dev, []]]) });
    assert.equal(outcome(await given.build(app)), 'built');
    assert.deepEqual(names(given.builder.started), ['app']);
    assert.equal(given.store.valid.has(lib.out), false, 'nobody needs that output');
  });

  test('are not substituted where the derivation does not want that, unless it is always allowed', async () => {
    const forced = makeDerivation({ name: 'forced', env: { allowSubstitutes: '' } });
    for (const [alwaysAllowSubstitutes, how] of [
      [false, 'built'],
      [true, 'substituted'],
    ] as const) {
      const cache = new Map([[forced.out, []]]);
      await using given = await setting({ derivations: [forced], cache, settings: { alwaysAllowSubstitutes } });
      assert.equal(outcome(await given.build(forced)), how);
    }
  });

  test('that refer to what no substituter has are substituted once an input has been built', async () => {
    const cache = new Map([[app.out, [dev]]]);
    await using given = await setting({ derivations: [lib, app], cache });
    assert.equal(outcome(await given.build(app)), 'substituted');
    assert.deepEqual(names(given.builder.started), ['lib']);
  });

  test('are built where that does not help', async () => {
    const stranger = makeDerivation({ name: 'stranger' });
    const cache = new Map([[app.out, [dev, stranger.out]]]);
    await using given = await setting({ derivations: [lib, app], cache });
    assert.equal(outcome(await given.build(app)), 'built');
    assert.deepEqual(names(given.builder.started), ['lib', 'app']);
  });

  test('are not built where a substituter failed, unless fallback says so', async () => {
    const substitute = async (): Promise<never> => {
      throw new TransferError('as asked');
    };
    for (const fallback of [false, true]) {
      const cache = new Map([[app.out, []]]);
      await using given = await setting({
        derivations: [lib, app],
        cache,
        settings: { fallback },
        handlers: { substitute },
      });
      const result = await given.build(app);
      assert.equal(statusOf(result), fallback ? undefined : 'transientFailure');
      assert.deepEqual(names(given.builder.started), fallback ? ['lib', 'app'] : []);
    }
  });

  test('that are wanted at different times are built once', async () => {
    const gate = new Gate();
    await using given = await setting({ derivations: [lib], handlers: gate.handlers });
    const first = given.build(lib, ['out']);
    await gate.expect('lib');
    const second = given.build(lib, ['dev']);
    await gate.expect('lib');
    gate.open('lib');
    assert.deepEqual(
      (await Promise.all([first, second])).map((result) => result.state === 'succeeded' && result.outputs),
      [new Map([['out', lib.out]]), new Map([['dev', dev]])],
    );
    assert.deepEqual(names(given.builder.started), ['lib']);
  });

  test('of which some are there are built without those', async () => {
    const asked: string[][] = [];
    const build = (each: BuildRequest): Promise<BuildReply> => {
      asked.push(each.outputs.map(({ name }) => name));
      return buildOutputs(each);
    };
    await using given = await setting({ derivations: [lib], cache: new Map([[dev, []]]), handlers: { build } });
    assert.equal(outcome(await given.build(lib, ['dev'])), 'substituted');
    assert.equal(outcome(await given.build(lib)), 'built');
    assert.deepEqual(asked, [['out']]);
  });

  test('that the derivation does not have are a failure with the names of those it has', async () => {
    await using given = await setting({ derivations: [lib] });
    const result = await given.build(lib, ['man']);
    assert.match(outcome(result), /^derivation '.*-lib\.drv' has no output 'man'$/);
    assert.equal('failure' in result && result.failure.hint, "it has 'dev', 'out'");
  });

  test('come of a derivation that is substituted first, where that is not valid', async () => {
    await using given = await setting({ derivations: [app], cache: new Map([[lib.drvPath, []]]) });
    const result = await given.build(lib);
    assert.match(outcome(result), /^invalid derivation at byte 0/, 'the fake transfer brought no text');
    const other = await given.build(makeDerivation({ name: 'unheard-of' }));
    assert.match(outcome(other), /^cannot build derivation '.*-unheard-of\.drv': the derivation is not there$/);
  });

  test('are checked only where they are valid', async () => {
    await using given = await setting({ derivations: [lib] });
    assert.match(
      outcome(await given.build(lib, 'all', 'check')),
      /^cannot check .*: not all of its outputs are valid$/,
    );
    await given.build(lib);
    assert.equal(outcome(await given.build(lib, 'all', 'check')), 'built');
    assert.deepEqual(names(given.builder.started), ['lib', 'lib']);
  });
});

describe('builds', () => {
  test('never take more than max-jobs slots, and go on as slots are free', async () => {
    const many = Array.from({ length: 9 }, (_, id) => makeDerivation({ name: `job-${id}` }));
    await using given = await setting({ derivations: many, settings: { maxJobs: 3 } });
    const results = await given.runner.request(many.map(request));
    assert.ok(results.every((result) => outcome(result) === 'built'));
    assert.equal(given.builder.most, 3);
  });

  test('on which the longest chain waits go first', async () => {
    const gate = new Gate();
    const short = Array.from({ length: 4 }, (_, id) => makeDerivation({ name: `short-${id}` }));
    const chain: MadeDerivation[] = [];
    for (let id = 0; id < 4; id++) chain.push(makeDerivation({ name: `chain-${id}`, inputs: chain.slice(-1) }));
    const holder = makeDerivation({ name: 'holder' });
    const derivations = [...short, ...chain, holder];
    await using given = await setting({ derivations, handlers: gate.handlers });
    const first = given.build(holder);
    await gate.expect('holder');
    const all = given.runner.request([...short, chain.at(-1)!].map(request));
    await gate.expect('holder');
    gate.open('holder');
    // The next of the chain waits for the outputs to be registered: meanwhile somebody else has the slot.
    const order = ['chain-0', 'short-0', 'chain-1', 'short-1', 'chain-2', 'short-2', 'short-3', 'chain-3'];
    const finished = new Set<string>();
    given.events.on('goalFinished', ({ path }) => void finished.add(names([path])[0]!));
    for (const [index, name] of order.entries()) {
      while (index > 0 && !finished.has(order[index - 1]!)) await turn();
      await gate.expect(name);
      gate.open(name);
    }
    await Promise.all([first, all]);
  });

  test('that only download take a slot of those that download', async () => {
    const gate = new Gate();
    const [download, other] = [
      makeDerivation({ name: 'download', builder: 'builtin:fetchurl' }),
      makeDerivation({ name: 'other' }),
    ];
    await using given = await setting({ derivations: [download, other], handlers: gate.handlers });
    const results = given.runner.request([download, other].map(request));
    await gate.expect('download', 'other');
    gate.open('download');
    gate.open('other');
    assert.deepEqual((await results).map(outcome), ['built', 'built']);
  });

  test('wait for a lock of another process without a slot, and use what that has made', async () => {
    const other = makeDerivation({ name: 'other' });
    await using given = await setting({ derivations: [lib, other] });
    using lock = (await given.store.tryLockPath(lib.out))!;
    const waiting = given.build(lib);
    assert.equal(outcome(await given.build(other)), 'built', 'the slot is free');
    for (const { path } of lib.derivation.outputs.values()) {
      given.store.add({ ...given.store.valid.get(other.out)!, path });
    }
    lock[Symbol.dispose]();
    assert.equal(outcome(await waiting), 'alreadyValid');
    assert.deepEqual(names(given.builder.started), ['other']);
  });

  test('of derivations with one fixed output in common are made one after the other, the second not at all', async () => {
    const contentAddress = { method: 'flat', hash: lib.hash } as const;
    const [one, two] = ['a', 'b'].map((mirror) =>
      makeDerivation({ name: 'source', fixed: contentAddress, env: { mirror } }),
    );
    assert.equal(one!.out, two!.out);
    await using given = await setting({ derivations: [one!, two!], settings: { maxJobs: 2 } });
    const results = await given.runner.request([one!, two!].map(request));
    assert.deepEqual(results.map(outcome).sort(), ['alreadyValid', 'built']);
    assert.equal(given.builder.started.length, 1);
  });

  test('of what fails fail those that need it, by name, with the exit code of Nix', async () => {
    await using given = await setting({ derivations: [lib, app], handlers: { build: fails } });
    const result = await given.build(app);
    assert.match(outcome(result), /^cannot build '.*-app\.drv': dependency '.*-lib\.drv' failed$/);
    assert.deepEqual([statusOf(result), exitStatusOf([result])], ['dependencyFailed', 100]);
  });

  test('that are cancelled give slot and locks back, and are told as not needed', async () => {
    const stops = (_: BuildRequest, { signal }: { readonly signal?: AbortSignal | undefined }): Promise<never> =>
      new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
    await using given = await setting({ derivations: [lib], handlers: { build: stops } });
    const told: unknown[] = [];
    given.events.on('buildFailed', ({ error }) => void told.push(error));
    const controller = new AbortController();
    given.events.on('buildStarted', () => setImmediate(() => controller.abort(new Error('stop'))));
    await assert.rejects(given.runner.request([request(lib)], controller.signal), /stop/);
    assert.deepEqual([told, [...given.store.locked], given.runner.slotsTaken], [[undefined], [], 0]);
  });

  test('are followed by the post-build hook, for which those that need them wait, and which stops all others', async () => {
    const ran: string[] = [];
    const appFailed = Promise.withResolvers<void>();
    const hook = async ({ drvPath }: { readonly drvPath: string }): Promise<Record<never, never>> => {
      ran.push(drvPath.slice(-7));
      if (drvPath.endsWith('other.drv')) await appFailed.promise;
      if (drvPath.endsWith('app.drv')) appFailed.resolve();
      if (drvPath.endsWith('app.drv')) throw new BuildError('the hook failed', { failure: { status: 'miscFailure' } });
      return {};
    };
    const top = makeDerivation({ name: 'top', inputs: [app] });
    const other = makeDerivation({ name: 'other' });
    const late = makeDerivation({ name: 'late', inputs: [other, lib] });
    await using given = await setting({
      derivations: [lib, app, top, other, late],
      settings: { postBuildHook: '/hook', keepGoing: true, maxJobs: 2 },
      handlers: { postBuildHook: hook },
    });
    const results = await given.runner.request([top, late].map(request));
    assert.deepEqual(ran.sort(), ['app.drv', 'her.drv', 'lib.drv']);
    assert.deepEqual(results.map(statusOf), ['dependencyFailed', 'miscFailure']);
    assert.match(outcome(results[1]!), /^there are no further builds: the hook failed$/);
    assert.ok(given.store.valid.has(app.out), 'what was built stays valid');
  });
});

const machine = (name: string, more: Partial<Machine> = {}): Machine => ({
  store: `ssh://${name}`,
  systems: ['aarch64-linux', 'x86_64-linux'],
  maxJobs: 1,
  speedFactor: 1,
  supportedFeatures: [],
  mandatoryFeatures: [],
  ...more,
});

describe('places to build', () => {
  const foreign = makeDerivation({ name: 'foreign', system: 'aarch64-linux' });
  const local = makeDerivation({ name: 'local', env: { preferLocalBuild: '1' } });
  const plain = makeDerivation({ name: 'plain' });

  /** Where each was built. */
  async function placesOf(options: Options, ...made: readonly MadeDerivation[]): Promise<Record<string, string>> {
    const remoteBuild: Handlers['remoteBuild'] = async ({ on, ...asked }) => {
      if (on.includes('broken')) throw new TransferError('cannot be reached');
      return await buildOutputs(asked);
    };
    await using given = await setting({ ...options, handlers: { remoteBuild, ...options.handlers } });
    const places: Record<string, string> = {};
    given.events.on('buildStarted', ({ name, machine: place }) => {
      places[name] = [places[name], place ?? 'here'].filter(Boolean).join(', then ');
    });
    const results = await given.runner.request(made.map(request));
    for (const [index, result] of results.entries()) {
      if (result.state !== 'succeeded') places[made[index]!.derivation.name] = outcome(result).replace(/'[^']*-/, "'");
    }
    return places;
  }

  for (const [what, options, made, wanted] of [
    ['are other machines first', { machines: [machine('m')] }, plain, 'ssh://m'],
    ['are here where a derivation prefers that', { machines: [machine('m')] }, local, 'here'],
    ['are machines of its system', { machines: [machine('m')] }, foreign, 'ssh://m'],
    [
      'are none where there are none',
      {},
      foreign,
      "unable to build 'foreign.drv': it is for aarch64-linux, and this is x86_64-linux",
    ],
    ['are here where a machine cannot be reached', { machines: [machine('broken')] }, plain, 'ssh://broken, then here'],
    [
      'are other machines where one cannot be reached',
      { machines: [machine('broken', { speedFactor: 9 }), machine('m')], settings: { maxJobs: 0 } },
      plain,
      'ssh://broken, then ssh://m',
    ],
    [
      'are the hook',
      { settings: { buildHook: '/hook' }, handlers: hookThat('declined') },
      plain,
      'build-hook, then here',
    ],
    [
      'are the hook once more, where it wants to be asked later',
      {
        settings: { buildHook: '/hook', buildPollInterval: 0 },
        handlers: hookThat('postponed', 'declinedPermanently'),
      },
      plain,
      'build-hook, then build-hook, then here',
    ],
  ] as const satisfies readonly (readonly [string, Partial<Options>, MadeDerivation, string])[]) {
    test(what, async () => {
      const { derivation } = made;
      assert.deepEqual(await placesOf({ derivations: [made], ...options }, made), { [derivation.name]: wanted });
    });
  }

  function hookThat(...answers: readonly ('declined' | 'postponed' | 'declinedPermanently')[]): Handlers {
    const left = [...answers];
    return { hookBuild: async () => ({ state: left.shift()! }) };
  }

  test('are as many on a machine as it has jobs, and one here', async () => {
    const many = Array.from({ length: 4 }, (_, id) => makeDerivation({ name: `job-${id}` }));
    const places = await placesOf({ derivations: many, machines: [machine('m', { maxJobs: 2 })] }, ...many);
    assert.deepEqual(Object.values(places).sort().slice(0, 1), ['here']);
    assert.equal(Object.values(places).filter((place) => place === 'ssh://m').length >= 2, true);
  });
});

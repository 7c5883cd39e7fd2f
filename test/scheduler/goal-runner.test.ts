import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BuildError, TransferError } from '../../src/errors.ts';
import type { StorePath } from '../../src/formats/store-path.ts';
import type { GoalResult } from '../../src/goals/goal.ts';
import type { BuildReply, BuildRequest } from '../../src/pool/messages.ts';
import { exitStatusOf } from '../../src/scheduler/build-outcome.ts';
import { type MadeDerivation, makeDerivation } from '../support/derivations.ts';
import { buildOutputs, type Handlers } from '../support/fake-builder.ts';
import { openRunner, outcome, request } from '../support/goal-runner.ts';

const names = (drvPaths: readonly StorePath[]): string[] => drvPaths.map((path) => path.slice(33, -4));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
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
    await using given = await openRunner({ derivations: [lib, app] });
    await given.build(app);
    const result = await given.build(app);
    assert.deepEqual(result, { state: 'succeeded', how: 'alreadyValid', outputs: new Map([['out', app.out]]) });
    assert.deepEqual(names(given.builder.started), ['lib', 'app']);
  });

  test('are substituted where a substituter has them, without anything else of the derivation', async () => {
    await using given = await openRunner({ derivations: [lib, app], cache: new Map([[app.out, []]]) });
    assert.equal(outcome(await given.build(app)), 'substituted');
    assert.deepEqual([given.builder.started, given.store.valid.has(lib.out)], [[], false]);
  });

  test('are built, with inputs from a substituter, where no substituter has them', async () => {
    await using given = await openRunner({ derivations: [lib, app], cache: new Map([[dev, []]]) });
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
      await using given = await openRunner({ derivations: [forced], cache, settings: { alwaysAllowSubstitutes } });
      assert.equal(outcome(await given.build(forced)), how);
    }
  });

  test('that refer to what no substituter has are substituted once an input has been built', async () => {
    const cache = new Map([[app.out, [dev]]]);
    await using given = await openRunner({ derivations: [lib, app], cache });
    assert.equal(outcome(await given.build(app)), 'substituted');
    assert.deepEqual(names(given.builder.started), ['lib']);
  });

  test('are built where that does not help', async () => {
    const stranger = makeDerivation({ name: 'stranger' });
    const cache = new Map([[app.out, [dev, stranger.out]]]);
    await using given = await openRunner({ derivations: [lib, app], cache });
    assert.equal(outcome(await given.build(app)), 'built');
    assert.deepEqual(names(given.builder.started), ['lib', 'app']);
  });

  test('are not built where a substituter failed, unless fallback says so', async () => {
    const substitute = async (): Promise<never> => {
      throw new TransferError('as asked');
    };
    for (const fallback of [false, true]) {
      const cache = new Map([[app.out, []]]);
      await using given = await openRunner({
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
    await using given = await openRunner({ derivations: [lib], handlers: gate.handlers });
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
    await using given = await openRunner({ derivations: [lib], cache: new Map([[dev, []]]), handlers: { build } });
    assert.equal(outcome(await given.build(lib, ['dev'])), 'substituted');
    assert.equal(outcome(await given.build(lib)), 'built');
    assert.deepEqual(asked, [['out']]);
  });

  test('that the derivation does not have are a failure with the names of those it has', async () => {
    await using given = await openRunner({ derivations: [lib] });
    const result = await given.build(lib, ['man']);
    assert.match(outcome(result), /^derivation '.*-lib\.drv' has no output 'man'$/);
    assert.equal('failure' in result && result.failure.hint, "it has 'dev', 'out'");
  });

  test('come of a derivation that is substituted first, where that is not valid', async () => {
    await using given = await openRunner({ derivations: [app], cache: new Map([[lib.drvPath, []]]) });
    const result = await given.build(lib);
    assert.match(outcome(result), /^invalid derivation at byte 0/, 'the fake transfer brought no text');
    const other = await given.build(makeDerivation({ name: 'unheard-of' }));
    assert.match(outcome(other), /^cannot build derivation '.*-unheard-of\.drv': the derivation is not there$/);
  });

  test('are checked only where they are valid', async () => {
    await using given = await openRunner({ derivations: [lib] });
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
    await using given = await openRunner({ derivations: many, settings: { maxJobs: 3 } });
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
    await using given = await openRunner({ derivations, handlers: gate.handlers });
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
    await using given = await openRunner({ derivations: [download, other], handlers: gate.handlers });
    const results = given.runner.request([download, other].map(request));
    await gate.expect('download', 'other');
    gate.open('download');
    gate.open('other');
    assert.deepEqual((await results).map(outcome), ['built', 'built']);
  });

  test('wait for a lock of another process without a slot, and use what that has made', async () => {
    const other = makeDerivation({ name: 'other' });
    await using given = await openRunner({ derivations: [lib, other] });
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
    await using given = await openRunner({ derivations: [one!, two!], settings: { maxJobs: 2 } });
    const results = await given.runner.request([one!, two!].map(request));
    assert.deepEqual(results.map(outcome).sort(), ['alreadyValid', 'built']);
    assert.equal(given.builder.started.length, 1);
  });

  test('of what fails fail those that need it, by name, with the exit code of Nix', async () => {
    await using given = await openRunner({ derivations: [lib, app], handlers: { build: fails } });
    const result = await given.build(app);
    assert.match(outcome(result), /^cannot build '.*-app\.drv': dependency '.*-lib\.drv' failed$/);
    assert.deepEqual([statusOf(result), exitStatusOf([result])], ['dependencyFailed', 100]);
  });

  test('that are cancelled give slot and locks back, and are told as not needed', async () => {
    const stops = (_: BuildRequest, { signal }: { readonly signal?: AbortSignal | undefined }): Promise<never> =>
      new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
    await using given = await openRunner({ derivations: [lib], handlers: { build: stops } });
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
    await using given = await openRunner({
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

import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { NoSubstitutersError } from '../../src/errors.ts';
import { parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { Goal, GoalResult } from '../../src/goals/goal.ts';
import { GoalGraph, type GoalNode, type Sparing } from '../../src/scheduler/goal-graph.ts';
import { SLICE } from '../../src/scheduler/slice.ts';

/** A goal that waits for some others, then does what its spec says. */
interface TestGoal extends Goal {
  readonly id: number;
}

interface Spec {
  readonly needs: readonly number[];
  /** `hang` ends only when it is cancelled. */
  readonly ending: 'succeed' | 'fail' | 'throw' | 'hang';
}

const path = (id: number): StorePath => parseBaseName(`${'0'.repeat(32)}-goal-${id}`);
const goal = (id: number): TestGoal => ({ key: `test:${id}`, path: path(id), id });
const failure = new NoSubstitutersError('as asked');

function makeGraph(
  specs: readonly Spec[],
  keepGoing = false,
  sparing?: Sparing<TestGoal>,
): { graph: GoalGraph<TestGoal>; added: number[]; runs: number[]; ends: number[] } {
  const added: number[] = [];
  const runs: number[] = [];
  const ends: number[] = [];
  async function run(node: GoalNode<TestGoal>): Promise<GoalResult> {
    const { needs, ending } = specs[node.goal.id]!;
    runs.push(node.goal.id);
    const result = await graph.waitFor(node, needs.map(goal));
    if (!result.ok) return { state: 'incompleteClosure', failure };
    if (ending === 'fail') return { state: 'failed', failure };
    if (ending === 'throw') throw new Error('as asked');
    if (ending === 'hang') {
      if (!node.signal.aborted) await once(node.signal, 'abort');
      await turn(); // cleaning up takes its time
      await turn();
    }
    node.signal.throwIfAborted();
    return { state: 'succeeded', how: 'substituted' };
  }
  const graph = new GoalGraph<TestGoal>({
    keepGoing,
    sparing,
    onAdded: (node) => void added.push(node.goal.id),
    run,
    onEnded: (node) => void ends.push(node.goal.id),
  });
  return { graph, added, runs, ends };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const states = (results: readonly GoalResult[]): string[] => results.map(({ state }) => state);
const fine = (...needs: number[]): Spec => ({ needs, ending: 'succeed' });

/** However busy the machine is, all goals of a turn are started in it: what was added has been run when it ends. */
function startAtOnce(context: TestContext): void {
  context.mock.method(performance, 'now', () => 0);
}

/** An acyclic graph: each goal needs only earlier ones. */
const anyGraph = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat(), { maxLength: 4 }),
      ending: fc.oneof(
        { weight: 6, arbitrary: fc.constant('succeed' as const) },
        { weight: 1, arbitrary: fc.constantFrom('fail' as const, 'throw' as const) },
      ),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((specs) =>
    specs.map(({ needs, ending }, id): Spec => ({ needs: id === 0 ? [] : needs.map((n) => n % id), ending })),
  );

describe('the goal graph', () => {
  test('works on each goal once, whoever needs it, and on those it needs before it ends', async () => {
    const { graph, runs, ends } = makeGraph([fine(), fine(0), fine(0), fine(1, 2, 1)]);
    assert.deepEqual(states(await graph.request([goal(3), goal(3)])), ['succeeded', 'succeeded']);
    assert.deepEqual(runs.toSorted(), [0, 1, 2, 3]);
    assert.deepEqual(ends, [0, 1, 2, 3]);
  });

  test('turns a throw into a failure with the code of an internal error', async () => {
    const { graph } = makeGraph([{ needs: [], ending: 'throw' }]);
    const [result] = await graph.request([goal(0)]);
    assert.ok(result?.state === 'failed');
    assert.equal(result.failure.code, 'ERR_INTERNAL');
  });

  test('stops at the first failure, and cancels what only the failed request needed', async () => {
    const { graph, ends } = makeGraph([{ needs: [], ending: 'fail' }, { needs: [], ending: 'hang' }, fine(1), fine(0)]);
    assert.deepEqual(states(await graph.request([goal(2), goal(3)])), ['cancelled', 'incompleteClosure']);
    assert.deepEqual(ends.toSorted(), [0, 1, 2, 3], 'all have ended');
  });

  describe('that is sparing', () => {
    const sparing: Sparing<TestGoal> = { of: () => true, least: 1, most: 2 };
    const hang: Spec = { needs: [], ending: 'hang' };

    test('starts goals of a request as others get on, in order, and tells of all at once', async () => {
      const { graph, added, runs } = makeGraph([hang, fine(), hang, fine()], false, sparing);
      const abort = new AbortController();
      const request = graph.request([0, 1, 2, 3].map(goal), abort.signal);
      assert.deepEqual(added, [0, 1, 2, 3]);
      await turn();
      assert.deepEqual(runs, [0, 1, 2]);
      abort.abort(new Error('stop'));
      await assert.rejects(request, /stop/);
      await graph.idle();
    });

    test('starts at once what a goal needs, and others while it waits', async () => {
      const { graph, runs } = makeGraph([fine(), fine(0), fine(1), fine(2), hang], false, sparing);
      const abort = new AbortController();
      const request = graph.request([4, 3, 2, 1, 0].map(goal), abort.signal);
      while (runs.length < 5) await turn();
      abort.abort(new Error('stop'));
      await assert.rejects(request, /stop/);
    });

    test('leaves alone the kinds of goals that it is not sparing of', async () => {
      const { graph, runs } = makeGraph([hang, hang, hang, fine()], false, { ...sparing, of: ({ id }) => id < 3 });
      const abort = new AbortController();
      const request = graph.request([0, 1, 2, 3].map(goal), abort.signal);
      await turn();
      assert.deepEqual(runs.toSorted(), [0, 1, 3]);
      abort.abort(new Error('stop'));
      await assert.rejects(request, /stop/);
    });

    test('comes to the same ends, each goal once', async () => {
      const shuffled = anyGraph.chain((specs) =>
        fc.tuple(fc.constant(specs), fc.shuffledSubarray([...specs.keys()]), fc.boolean()),
      );
      await fc.assert(
        fc.asyncProperty(shuffled, async ([specs, wanted, all]) => {
          const of = ({ id }: TestGoal): boolean => all || id % 2 === 0;
          const { graph, runs } = makeGraph(specs, true, { ...sparing, of });
          const results = await graph.request(wanted.map(goal));
          const others = await makeGraph(specs, true).graph.request(wanted.map(goal));
          assert.deepEqual(states(results), states(others));
          assert.equal(new Set(runs).size, runs.length);
          await graph.idle();
        }),
      );
    });
  });

  test('with keep-going, works on what can still be had', async () => {
    const { graph } = makeGraph([{ needs: [], ending: 'fail' }, fine(), fine(1), fine(0, 1)], true);
    assert.deepEqual(states(await graph.request([goal(2), goal(3)])), ['succeeded', 'incompleteClosure']);
  });

  test('an aborted request rejects with its reason after its goals have ended; another that needs one keeps it', async () => {
    const { graph, ends } = makeGraph([{ needs: [], ending: 'hang' }, fine(0), fine(0)]);
    const [first, second] = [new AbortController(), new AbortController()];
    const reason = new Error('stop');
    const one = graph.request([goal(1)], first.signal);
    const two = graph.request([goal(2)], second.signal);
    await turn();
    first.abort(reason);
    await assert.rejects(one, reason);
    assert.deepEqual(ends, [1], 'goal 0 goes on');
    second.abort(reason);
    await assert.rejects(two, reason);
    assert.deepEqual(ends.toSorted(), [0, 1, 2]);
  });

  test('a goal that was cancelled is worked on afresh when somebody asks again', async () => {
    const specs: Spec[] = [{ needs: [], ending: 'hang' }];
    const { graph, runs } = makeGraph(specs);
    const controller = new AbortController();
    const first = graph.request([goal(0)], controller.signal);
    await turn();
    controller.abort(new Error('stop'));
    await turn();
    specs[0] = fine();
    assert.deepEqual(states(await graph.request([goal(0)])), ['succeeded']);
    await assert.rejects(first);
    assert.deepEqual(runs, [0, 0]);
  });

  test('leaves nothing on the signal of a request, which may live as long as the program', async () => {
    const { graph } = makeGraph([fine()]);
    const { signal } = new AbortController();
    await graph.request([goal(0)], signal);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });

  test('a chain of 20,000 goals does not exhaust the stack', async () => {
    const specs = Array.from({ length: 20_000 }, (_, id) => fine(...(id === 0 ? [] : [id - 1])));
    const { graph } = makeGraph(specs);
    assert.deepEqual(states(await graph.request([goal(19_999)])), ['succeeded']);
  });

  test('every graph ends, each goal as those it needs allow', async (context) => {
    startAtOnce(context);
    await fc.assert(
      fc.asyncProperty(anyGraph, fc.boolean(), async (specs, keepGoing) => {
        const { graph, runs, ends } = makeGraph(specs, keepGoing);
        const ok: boolean[] = [];
        for (const [id, { needs, ending }] of specs.entries())
          ok[id] = ending === 'succeed' && needs.every((n) => ok[n]);
        const results = await graph.request(specs.map((_, id) => goal(id)));
        for (const [id, { state }] of results.entries()) {
          if (keepGoing) assert.equal(state === 'succeeded', ok[id], `goal ${id} ${state}`);
          else assert.ok(state === 'cancelled' || (state === 'succeeded') === ok[id], `goal ${id} ${state}`);
        }
        if (!keepGoing && !ok.every(Boolean)) assert.ok(results.some(({ state }) => state === 'failed'));
        assert.equal(new Set(runs).size, runs.length, 'no goal runs twice');
        assert.deepEqual(ends.toSorted(), runs.toSorted(), 'what was cancelled has ended, too');
      }),
    );
  });

  test('requests aborted at any moment always end, and leave nothing running', async (context) => {
    startAtOnce(context);
    const graphWithHangs = anyGraph.map((specs) =>
      specs.map((spec, id): Spec => (id % 5 === 3 ? { ...spec, ending: 'hang' } : spec)),
    );
    await fc.assert(
      fc.asyncProperty(graphWithHangs, fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), async (specs, moments) => {
        const { graph, runs, ends } = makeGraph(specs, true);
        const ended = moments.map(async (turns, index) => {
          const controller = new AbortController();
          const running = graph.request([goal((index * 7) % specs.length), goal(specs.length - 1)], controller.signal);
          for (let count = 0; count < turns; count++) await turn();
          controller.abort(new Error('stop'));
          await running.catch(() => undefined);
        });
        await Promise.all(ended);
        assert.equal(ends.length, runs.length);
      }),
    );
  });
});

describe('many goals', () => {
  const many = Array.from({ length: 20 }, () => fine());
  const goals = many.map((_, id) => goal(id));

  /** Every look at the time is a slice later than the one before. */
  const mockTime = (context: TestContext): void => {
    let now = 0;
    context.mock.method(performance, 'now', () => (now += SLICE));
  };

  test('are started in slices, between which others have their turn', async (context) => {
    mockTime(context);
    const { graph, runs } = makeGraph(many);
    const started: number[] = [];
    const ended = graph.request(goals);
    while (runs.length < many.length) {
      await turn();
      started.push(runs.length);
    }
    assert.ok(started.length > many.length / 2, `all were started in ${started.length} turns`);
    assert.deepEqual(new Set(states(await ended)), new Set(['succeeded']));
  });

  test('that nobody needs any more before their start are never run, and end as cancelled', async (context) => {
    mockTime(context);
    const { graph, runs, ends } = makeGraph(many);
    const controller = new AbortController();
    const ended = graph.request(goals, controller.signal);
    await turn();
    controller.abort();
    await assert.rejects(ended, { name: 'AbortError' });
    assert.ok(runs.length < many.length, `${runs.length} were run`);
    assert.equal(ends.length, many.length);
    await graph.idle();
  });
});

/** Graphs of goals that have nothing to do: what is left is what the graph itself costs. */
import assert from 'node:assert/strict';
import { parseBaseName } from '../src/formats/store-path.ts';
import type { Goal, GoalResult } from '../src/goals/goal.ts';
import { GoalGraph, type GoalNode } from '../src/scheduler/goal-graph.ts';
import { seededIntegers } from '../test/support/synthetic-corpus.ts';

const SEED = 1;
const PATH = parseBaseName(`${'0'.repeat(32)}-goal`);
const SUCCEEDED: GoalResult = { state: 'succeeded', how: 'alreadyValid' };

/** Of each goal, the numbers of those it needs, which are lower than its own. */
export type Needs = readonly (readonly number[])[];

/** Each needs the one before it. */
export function chain(count: number): Needs {
  return Array.from({ length: count }, (_, id) => (id === 0 ? [] : [id - 1]));
}

/** The last needs all others, which need nothing. */
export function wide(count: number): Needs {
  return Array.from({ length: count }, (_, id) =>
    id < count - 1 ? [] : Array.from({ length: id }, (_, each) => each),
  );
}

/** Each needs the one before it or none, and up to seven from anywhere: the same graph in every run. */
export function random(count: number): Needs {
  const below = seededIntegers(SEED);
  return Array.from({ length: count }, (_, id) => {
    if (id === 0) return [];
    const needs = new Set(below(2) === 0 ? [id - 1] : []);
    for (let more = below(8); more > 0; more--) needs.add(below(id));
    return [...needs];
  });
}

class NumberedGoal implements Goal {
  readonly key: string;
  readonly path = PATH;
  readonly id: number;

  constructor(id: number) {
    this.key = String(id);
    this.id = id;
  }
}

/** Works on all goals of a graph; how many milliseconds that takes. */
export async function timeNeeds(needs: Needs): Promise<number> {
  let ended = 0;
  const goal = (id: number): NumberedGoal => new NumberedGoal(id);
  const graph: GoalGraph<NumberedGoal> = new GoalGraph({
    keepGoing: false,
    run: async (node: GoalNode<NumberedGoal>) => {
      await graph.waitFor(node, needs[node.goal.id]!.map(goal));
      ended++;
      return SUCCEEDED;
    },
  });
  const started = performance.now();
  const results = await graph.request(needs.map((_, id) => goal(id)));
  const milliseconds = performance.now() - started;
  assert.ok(ended === needs.length && results.every(({ state }) => state === 'succeeded')); // never time a wrong answer
  return milliseconds;
}

/** Milliseconds for `count` goals in a random graph, each of which needs some others. */
export function timeGraph(count: number): Promise<number> {
  return timeNeeds(random(count));
}

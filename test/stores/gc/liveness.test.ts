import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Edges, NumberList } from '../../../src/stores/gc/edges.ts';
import { type Keep, Liveness } from '../../../src/stores/gc/liveness.ts';
import type { ReferenceGraph } from '../../../src/stores/gc/reference-graph.ts';

type Pairs = readonly (readonly [from: number, to: number])[];

function edges(nodes: number, pairs: Pairs): Edges {
  const [from, to] = [new NumberList(), new NumberList()];
  for (const [start, end] of pairs) {
    from.push(start);
    to.push(end);
  }
  return Edges.pack(nodes, from, to);
}

interface Graph {
  readonly references: Pairs;
  readonly outputs?: Pairs;
  readonly derivers?: Pairs;
}

const KEEP_NOTHING: Keep = { keepOutputs: false, keepDerivations: false };

function liveness({ references, outputs = [], derivers = [] }: Graph, keep: Keep = KEEP_NOTHING): Liveness {
  const nodes = 10;
  const back = (pairs: Pairs): Edges =>
    edges(
      nodes,
      pairs.map(([from, to]) => [to, from] as const),
    );
  const graph: ReferenceGraph = {
    paths: Array.from({ length: nodes }),
    ids: [],
    narSizes: [],
    references: edges(nodes, references),
    referrers: back(references),
    outputs: edges(nodes, outputs),
    derivations: back(outputs),
    derivers: edges(nodes, derivers),
    derived: back(derivers),
    find: () => undefined,
    withHashPart: () => [],
  };
  return new Liveness(graph, keep);
}

/** Output 1 of derivation 0, which needs 2. */
const BUILT: Graph = { references: [[0, 2]], outputs: [[0, 1]], derivers: [[1, 0]] };

describe('what is alive', () => {
  test('edges are found by where they start, however many there are', () => {
    const many: Pairs = Array.from({ length: 5_000 }, (_, index) => [index % 7, (index * 3) % 10]);
    const packed = edges(10, many);
    for (let node = 0; node < 10; node++) {
      const wanted = many.filter(([from]) => from === node).map(([, to]) => to);
      assert.deepEqual([...packed.of(node)], wanted);
    }
  });

  test('a root keeps what it refers to, and not what refers to it', () => {
    const alive = liveness({
      references: [
        [0, 1],
        [1, 2],
        [3, 1],
      ],
    });
    assert.deepEqual(alive.markAlive(1), [1, 2]);
    assert.deepEqual(
      [0, 1, 2, 3].filter((path) => alive.isAlive(path)),
      [1, 2],
    );
    assert.deepEqual(alive.markAlive(0), [0], 'what was alive before is not told again');
  });

  for (const [keepOutputs, keepDerivations, fromOutput, fromDerivation] of [
    [false, false, [1], [0, 2]],
    [false, true, [1, 0, 2], [0, 2]],
    [true, false, [1], [0, 2, 1]],
    [true, true, [1, 0, 2], [0, 2, 1]],
  ] as const) {
    test(`with keep-outputs ${keepOutputs} and keep-derivations ${keepDerivations}, roots keep as much as that`, () => {
      const keep = { keepOutputs, keepDerivations };
      assert.deepEqual(liveness(BUILT, keep).markAlive(1), fromOutput);
      assert.deepEqual(liveness(BUILT, keep).markAlive(0), fromDerivation);
    });
  }

  test('garbage goes together with what refers to it, and that goes first', () => {
    const dead = liveness({
      references: [
        [3, 1],
        [4, 3],
        [4, 1],
        [5, 2],
        [2, 6],
      ],
    });
    const closure = dead.backwardClosure([1, 2]);
    assert.deepEqual([...closure].sort(), [1, 2, 3, 4, 5]);
    const order = dead.referrersFirst(closure);
    assert.deepEqual(order.toSorted(), [1, 2, 3, 4, 5]);
    for (const [referrer, reference] of [
      [3, 1],
      [4, 3],
      [4, 1],
      [5, 2],
    ] as const) {
      assert.ok(order.indexOf(referrer) < order.indexOf(reference), `${referrer} before ${reference}`);
    }
  });

  test('a circle through a deriver does not end the search', () => {
    const graph = { references: [[1, 0]], outputs: [[0, 1]], derivers: [[1, 0]] } as const;
    const alive = liveness(graph, { keepOutputs: true, keepDerivations: true });
    assert.deepEqual([...alive.backwardClosure([0])].sort(), [0, 1]);
    assert.equal(
      alive.wayTo(0, () => false),
      undefined,
    );
    assert.deepEqual(alive.referrersFirst([0, 1]), [1, 0]);
  });

  test('the way to a path is the shortest from any root', () => {
    const alive = liveness({
      references: [
        [5, 4],
        [4, 3],
        [3, 0],
        [2, 0],
        [6, 2],
      ],
    });
    assert.deepEqual(
      alive.wayTo(0, (path) => path === 5 || path === 6),
      [6, 2, 0],
    );
    assert.deepEqual(
      alive.wayTo(0, (path) => path === 0),
      [0],
    );
  });
});

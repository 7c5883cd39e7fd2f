import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type RankedNode, Ranks } from '../../src/scheduler/ranks.ts';

class Node implements RankedNode<Node> {
  readonly needs: Set<Node> = new Set();
  result: unknown;
  rank: number = 0;
  unseen: number = 0;
}

/** By the numbers of what each needs, all later ones. */
function graph(needs: readonly (readonly number[])[]): Node[] {
  const nodes = needs.map(() => new Node());
  for (const [id, each] of needs.entries()) for (const need of each) nodes[id]!.needs.add(nodes[need]!);
  return nodes;
}

describe('ranks', () => {
  test('say how many wait in the longest chain behind each', () => {
    const nodes = graph([[1, 3], [2], [3], [], []]);
    const ranks = new Ranks<Node>();
    ranks.added(4);
    assert.equal(ranks.refresh(nodes), 1);
    assert.deepEqual(
      nodes.map(({ rank }) => rank),
      [0, 1, 2, 3, 0],
    );
  });

  test('do not count who has ended', () => {
    const nodes = graph([[1], [2], []]);
    nodes[0]!.result = 'ended';
    const ranks = new Ranks<Node>();
    ranks.added(2);
    ranks.refresh(nodes);
    assert.deepEqual(
      nodes.slice(1).map(({ rank }) => rank),
      [0, 1],
    );
  });

  test('are counted again when the graph has grown by a quarter, or after a pause, and else not', () => {
    let now = 0;
    const ranks = new Ranks<Node>(() => now++);
    const refresh = (): number => ranks.refresh([]);
    assert.equal(refresh(), 0, 'nothing was added');
    ranks.added(100);
    assert.equal(refresh(), 1);
    ranks.added(24);
    assert.equal(refresh(), 1, 'too few, too soon');
    ranks.added(1);
    assert.equal(refresh(), 2, 'a quarter');
    ranks.added(1);
    now += 100;
    assert.equal(refresh(), 3, 'after a pause');
    assert.equal(refresh(), 3, 'nothing is new');
  });

  test('of any graph are those that counting by hand gives', () => {
    const anyGraph = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
      .map((all) =>
        all.map((needs, id) => needs.map((need) => id + 1 + (need % all.length)).filter((need) => need < all.length)),
      );
    fc.assert(
      fc.property(anyGraph, (needs) => {
        const nodes = graph(needs);
        const ranks = new Ranks<Node>();
        ranks.added(1);
        ranks.refresh(nodes);
        const wanted = needs.map(() => 0);
        for (const [id, each] of needs.entries())
          for (const need of each) wanted[need] = Math.max(wanted[need]!, wanted[id]! + 1);
        assert.deepEqual(
          nodes.map(({ rank }) => rank),
          wanted,
        );
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Edges, NumberList } from '../../../src/stores/gc/edges.ts';
import { findCycle } from '../../../src/stores/registrations/find-cycle.ts';

function cycleIn(nodes: number, pairs: readonly (readonly [number, number])[]): number | undefined {
  const [from, to] = [new NumberList(), new NumberList()];
  for (const [source, target] of pairs) {
    from.push(source);
    to.push(target);
  }
  return findCycle(nodes, Edges.pack(nodes, from, to));
}

test('no cycle is found where there is none, and references to itself are none', () => {
  assert.equal(cycleIn(0, []), undefined);
  assert.equal(
    cycleIn(5, [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
      [3, 3],
      [4, 0],
    ]),
    undefined,
  );
});

test('a cycle is found, also far from where the search starts', () => {
  assert.ok(
    [0, 1].includes(
      cycleIn(2, [
        [0, 1],
        [1, 0],
      ])!,
    ),
  );
  assert.ok(
    [3, 4, 5].includes(
      cycleIn(6, [
        [0, 1],
        [0, 2],
        [2, 3],
        [3, 4],
        [4, 5],
        [5, 3],
      ])!,
    ),
  );
});

test('a graph may be deeper than any stack', () => {
  const chain = Array.from({ length: 200_000 }, (_, node) => [node, node + 1] as const);
  assert.equal(cycleIn(200_001, chain), undefined);
  assert.notEqual(cycleIn(200_001, [...chain, [200_000, 150_000]]), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chain, random, timeGraph, timeNeeds, wide } from '../../bench/graph.ts';

test('a chain needs one after the other, a wide graph needs all at once', () => {
  assert.deepEqual(chain(4), [[], [0], [1], [2]]);
  assert.deepEqual(wide(4), [[], [], [], [0, 1, 2]]);
});

test('a random graph is the same in every run, and has no circles', () => {
  const needs = random(1_000);
  assert.deepEqual(random(1_000), needs);
  for (const [id, each] of needs.entries()) {
    assert.equal(new Set(each).size, each.length);
    assert.ok(each.every((needed) => needed < id));
  }
  const edges = needs.reduce((sum, { length }) => sum + length, 0);
  assert.ok(edges > 2_000 && edges < 8_000, `${edges} needs`);
});

test('every graph is worked through', async () => {
  for (const needs of [chain(100), wide(100), random(100), []]) assert.ok((await timeNeeds(needs)) >= 0);
  assert.ok((await timeGraph(100)) > 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUCKETS, SlidingSum } from '../../../src/stores/http/sliding-sum.ts';

test('a sum is of the last ticks, and complete when there have been enough', () => {
  const recent = new SlidingSum(1);
  const complete = Array.from({ length: 2 * BUCKETS }, (_, tick) => recent.add(tick));
  assert.deepEqual(complete, [...Array(BUCKETS - 1).fill(false), ...Array(BUCKETS + 1).fill(true)]);
  const expected = Array.from({ length: BUCKETS }, (_, index) => BUCKETS + index);
  assert.equal(
    recent.sum,
    expected.reduce((sum, each) => sum + each),
  );
});

test('a longer time has more ticks a bucket', () => {
  const recent = new SlidingSum(3);
  let ticks = 1;
  for (; !recent.add(1); ticks++);
  assert.deepEqual([ticks, recent.sum], [3 * BUCKETS, 3 * BUCKETS]);
});

test('a sum is empty until something comes, and again when it is long ago', () => {
  const recent = new SlidingSum(2);
  assert.ok(recent.isEmpty);
  recent.add(5);
  assert.deepEqual([recent.isEmpty, recent.sum], [false, 0]);
  for (let tick = 0; tick < 2 * BUCKETS + 1; tick++) recent.add(0);
  assert.ok(recent.isEmpty);
});

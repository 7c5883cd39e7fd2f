import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dealOut, median, orderOf, ratiosOf, spreadOf } from '../../../bench/peers/statistics.ts';

const MEDIANS = [
  [[7], 7, 'the only one'],
  [[9, 1, 5], 5, 'the one in the middle, in whatever order they come'],
  [[10, 9, 100, 1], 9.5, 'between the two in the middle, as numbers and not as texts'],
] as const;

for (const [values, expected, why] of MEDIANS) {
  test(`the median of ${values.join(', ')} is ${expected}: ${why}`, () => assert.equal(median(values), expected));
}

test('the spread is the smallest and the largest', () => assert.deepEqual(spreadOf([2, 10, 1]), { min: 1, max: 10 }));

test('ratios are those of pairs, not of medians', () => {
  const runs = (...seconds: number[]) => seconds.map((each) => ({ seconds: each }));
  assert.deepEqual(ratiosOf(runs(4, 30), runs(2, 10)), [2, 3]);
  assert.deepEqual(ratiosOf([], runs(1)), []);
});

test('pairs run as A B, B A, A B', () => {
  const order = [0, 1, 2, 3].map((pair) => orderOf(pair, ['A', 'B']).join(''));
  assert.deepEqual(order, ['AB', 'BA', 'AB', 'BA']);
});

test('work is dealt out so that all groups weigh about the same', () => {
  const groups = dealOut([1, 8, 3, 2, 2], 2, (weight) => weight);
  assert.deepEqual(groups, [[8], [3, 2, 2, 1]]);
});

test('work without weight is dealt out too, and no group is empty', () => {
  assert.deepEqual(
    dealOut(['a', 'b', 'c', 'd'], 2, () => 0),
    [
      ['a', 'c'],
      ['b', 'd'],
    ],
  );
  assert.deepEqual(
    dealOut(['a'], 8, () => 5),
    [['a']],
  );
  assert.deepEqual(
    dealOut([], 8, () => 5),
    [],
  );
});

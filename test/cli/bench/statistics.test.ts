import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  distributionOf,
  mostAtOnce,
  percentilesOf,
  perSecond,
  quantile,
  sortedNumbers,
} from '../../../src/cli/bench/statistics.ts';
import { seededIntegers } from '../../support/synthetic-corpus.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('percentiles', () => {
  const CASES = [
    [[7], { p50: 7, p90: 7, p99: 7, max: 7 }, 'of one value are that value'],
    [[2, 1], { p50: 1, p90: 2, p99: 2, max: 2 }, 'do not need sorted values'],
    [upTo(10), { p50: 5, p90: 9, p99: 10, max: 10 }, 'are values that were measured, never something between'],
    [upTo(100), { p50: 50, p90: 90, p99: 99, max: 100 }, 'of a hundred values are their ranks'],
    [upTo(1000), { p50: 500, p90: 900, p99: 990, max: 1000 }, 'of a thousand values are their ranks'],
    [[10, 9, 100], { p50: 10, p90: 100, p99: 100, max: 100 }, 'compare numbers, not their digits'],
  ] as const;

  for (const [values, wanted, why] of CASES) {
    test(why, () => assert.deepEqual(percentilesOf(values), wanted));
  }

  test('of nothing there are none', () => assert.equal(percentilesOf([]), undefined));

  test('are the smallest values that enough others do not exceed', () => {
    const below = seededIntegers(1);
    for (let count = 1; count < 60; count++) {
      const sorted = sortedNumbers(Array.from({ length: count }, () => below(40)));
      for (const percent of [1, 25, 50, 75, 90, 99, 100]) {
        const value = quantile(sorted, percent / 100);
        const enough = (limit: number): boolean =>
          100 * sorted.filter((each) => each <= limit).length >= percent * count;
        assert.ok(enough(value), `p${percent} of ${sorted}`);
        const smaller = sorted.filter((each) => each < value).at(-1);
        if (smaller !== undefined) assert.ok(!enough(smaller), `p${percent} of ${sorted}`);
      }
    }
  });
});

describe('a distribution', () => {
  test('has every value where there is room for all', () => {
    assert.deepEqual(distributionOf([1, 5, 5, 9], 10), [
      { value: 1, share: 0.25 },
      { value: 5, share: 0.5 },
      { value: 5, share: 0.75 },
      { value: 9, share: 1 },
    ]);
  });

  test('keeps both ends, and grows, where it leaves values out', () => {
    const points = distributionOf(upTo(10_000), 50);
    assert.equal(points.length, 50);
    assert.deepEqual(
      [points[0], points.at(-1)],
      [
        { value: 1, share: 0.0001 },
        { value: 10_000, share: 1 },
      ],
    );
    for (const [index, { value, share }] of points.entries()) {
      assert.equal(share, value / 10_000);
      if (index > 0) assert.ok(value > points[index - 1]!.value);
    }
  });
});

test('a rate is a second worth of it, and none where no time has passed', () => {
  assert.equal(perSecond(50, 250), 200);
  assert.equal(perSecond(50, 0), undefined);
});

describe('how many were under way at once', () => {
  const CASES = [
    [[], 0, 'is none of nothing'],
    [
      [
        [0, 10],
        [10, 20],
      ],
      1,
      'does not count one that ends when another starts',
    ],
    [
      [
        [0, 10],
        [9, 20],
        [5, 6],
      ],
      2,
      'counts those that overlap',
    ],
    [
      [
        [0, 9],
        [1, 8],
        [2, 7],
        [8, 9],
      ],
      3,
      'is the most of all moments',
    ],
  ] as const;
  for (const [spans, wanted, why] of CASES) {
    test(why, () => assert.equal(mostAtOnce(spans.map(([started, ended]) => ({ started, ended }))), wanted));
  }
});

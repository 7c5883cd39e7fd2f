import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exactScale, linearScale, logScale, type Scale, stepScale } from '../../../../src/cli/bench/page/scale.ts';

const labels = ({ ticks }: Scale): string[] => ticks.map(({ label }) => label);

describe('a linear scale', () => {
  const CASES = [
    [172, ['0', '50', '100', '150', '200']],
    [100, ['0', '20', '40', '60', '80', '100']],
    [4.07, ['0', '1', '2', '3', '4', '5']],
    [0.031, ['0', '0.01', '0.02', '0.03', '0.04']],
    [7914, ['0', '2,000', '4,000', '6,000', '8,000']],
    [0, ['0', '0.2', '0.4', '0.6', '0.8', '1']],
  ] as const;
  for (const [greatest, wanted] of CASES) {
    test(`up to ${greatest} has round numbers, the last not below it`, () => {
      assert.deepEqual(labels(linearScale(greatest)), wanted);
    });
  }

  test('goes from 0 to 1 between its first and last tick', () => {
    const scale = linearScale(172);
    assert.deepEqual([0, 100, 200, 500].map(scale.at), [0, 0.5, 1, 1]);
  });
});

test('an exact scale ends where it ends', () => {
  const scale = exactScale(1.9, 8);
  assert.deepEqual(labels(scale), ['0', '0.5', '1', '1.5']);
  assert.equal(scale.at(1.9), 1);
});

describe('a logarithmic scale', () => {
  const CASES = [
    [0.25, 14.1, ['0.2', '0.5', '1', '2', '5', '10', '20']],
    [3, 4, ['2', '5']],
    [5, 5, ['5', '10']],
    [0.05, 123, ['0.1', '1', '10', '100']],
    [0, 0.5, ['0.001', '0.002', '0.005', '0.01', '0.02', '0.05', '0.1', '0.2', '0.5']],
  ] as const;
  for (const [least, greatest, wanted] of CASES) {
    test(`from ${least} to ${greatest} encloses both`, () => {
      const scale = logScale(least, greatest);
      assert.deepEqual(labels(scale), wanted);
      assert.ok(scale.at(least) >= 0 && scale.at(greatest) <= 1);
    });
  }

  test('has equal distances for equal ratios', () => {
    const scale = logScale(1, 100);
    assert.deepEqual(
      [1, 10, 100].map((value) => scale.at(value).toFixed(6)),
      ['0.000000', '0.500000', '1.000000'],
    );
  });
});

test('steps stand equally far from each other', () => {
  const scale = stepScale([1, 16, 1024]);
  assert.deepEqual(labels(scale), ['1', '16', '1,024']);
  assert.deepEqual([1, 16, 1024].map(scale.at), [1 / 6, 0.5, 5 / 6]);
});

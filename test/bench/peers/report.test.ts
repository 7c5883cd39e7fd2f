import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../../bench/peers/report.ts';
import { graphRow, run, transferRow } from './reports.ts';

const missed = (row: Parameters<typeof judge>[0]): string[] =>
  judge(row)
    .filter(({ met }) => !met)
    .map(({ what }) => what);

const RATIO = "Nix's time by Sluice's";

test('the ratio is the median of those of the pairs', () => {
  assert.equal(judge(transferRow())[0]!.is, '1.50 ×'); // 1.5, 2 and 1.5; of the median times it would be 2
});

test('a target that is just met is met', () => {
  assert.deepEqual(missed(transferRow({ target: 1.5 })), []);
  assert.deepEqual(missed(transferRow({ target: 1.51 })), [RATIO]);
});

test('the run that took most memory counts, and only those of Sluice', () => {
  const nix = [run(3, 900e6), run(3, 900e6), run(3, 900e6)];
  assert.deepEqual(missed(transferRow({ nix, sluice: [run(1, 100e6), run(1, 250e6), run(1, 100e6)] })), []);
  assert.deepEqual(missed(transferRow({ nix, sluice: [run(1, 100e6), run(1, 250e6 + 1), run(1)] })), ['peak memory']);
});

test('without Nix only memory is judged', () => {
  assert.deepEqual(
    judge(transferRow({ nix: [] })).map(({ what }) => what),
    ['peak memory'],
  );
});

const GRAPHS = [
  [0.2, 2, []],
  [0.2, 2.01, ['100,000 goals']],
  [0.1, 1.2, ['by the time of 10,000']],
  [0.1, 3, ['100,000 goals', 'by the time of 10,000']],
] as const;

for (const [small, large, expected] of GRAPHS) {
  test(`graphs that take ${small} s and ${large} s miss ${expected.join(' and ') || 'nothing'}`, () => {
    assert.deepEqual(missed(graphRow(small, large)), expected);
  });
}

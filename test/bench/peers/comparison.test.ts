import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printComparison } from '../../../bench/peers/comparison.ts';
import { graphRow, report, run, transferRow } from './reports.ts';

test('rows that both reports have are compared, figure by figure', () => {
  const before = report([transferRow({ sluice: [run(2, 250e6)], nix: [run(4)] }), graphRow(0.2, 2)]);
  const after = report([
    graphRow(0.1, 2),
    transferRow({ sluice: [run(1)], nix: [run(3)] }),
    transferRow({ row: 'new' }),
  ]);
  assert.deepEqual(printComparison(before, after).split('\n').slice(3), [
    'row     of              before  after  change',
    'graph   small graph, s   0.200  0.100   -50 %',
    'graph   large graph, s    2.00   2.00     0 %',
    'deb-xz  ratio             2.00   3.00   +50 %',
    'deb-xz  time, s           2.00   1.00   -50 %',
    'deb-xz  CPU, s            4.00   2.00   -50 %',
    'deb-xz  peak, MB           250    200   -20 %',
    '',
  ]);
});

test('a figure that only one of them has is left out', () => {
  const text = printComparison(report([transferRow({ nix: [] })]), report([transferRow()]));
  assert.doesNotMatch(text, /ratio/);
  assert.match(text, /time, s/);
});

test('it says where reports cannot be compared', () => {
  const elsewhere = report([transferRow()], { machine: { ...report([]).machine, cores: 64 } });
  assert.match(printComparison(report([transferRow()]), elsewhere), /different machines/);
  assert.match(printComparison(report([]), report([transferRow()])), /no row in common/);
});

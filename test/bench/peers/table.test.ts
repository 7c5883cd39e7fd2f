import assert from 'node:assert/strict';
import { test } from 'node:test';
import { highestOf, printReport } from '../../../bench/peers/table.ts';
import { graphRow, report, run, transferRow } from './reports.ts';

test('a report names programs and machine, and has a line for each row', () => {
  const slow = transferRow({ row: 'tiny-none-20ms', target: 5, sluice: [run(10, 300e6)], nix: [run(12)] });
  const lines = printReport(report([transferRow(), slow, graphRow(0.15, 1.5)])).split('\n');
  assert.deepEqual(lines.slice(0, 6), [
    'Sluice 1.2.3; Node 24.0.0; nix (Nix) 2.8.0; nginx/1.22.1',
    'Linux 6.1 x64, 4 × Abacus 9000, 16 GB; 2026-01-02T03:04:05.000Z; 3 pairs a row',
    '',
    'row              ratio  target        spread  Sluice s  Nix s  CPU s   Nix  peak MB  MiB  Nix MB  floor s  of it   above it',
    'deb-xz          1.50 ×   ≥ 1.1  ✓  1.50–2.00      1.00   2.00   2.00  4.00      200  191      41    0.500  decode     2.0 ×',
    'tiny-none-20ms  1.20 ×   ≥ 5.0  ✗  1.20–1.20      10.0   12.0   20.0  24.0      300  286     200    0.500  decode    20.0 ×',
  ]);
  assert.deepEqual(lines.slice(-5), [
    'graph: 100,000 goals: 1.50 s (≤ 2 s) ✓, by the time of 10,000: 10.0 (≤ 11) ✓',
    '',
    "missed: tiny-none-20ms: Nix's time by Sluice's is 1.20 ×, wanted ≥ 5.0",
    'missed: tiny-none-20ms: peak memory is 300 MB (286 MiB), wanted ≤ 250 MB (238 MiB)',
    '',
  ]);
});

test('what was not measured has a dash', () => {
  const text = printReport(report([transferRow({ nix: [] })], { machine: { ...report([]).machine, nix: undefined } }));
  assert.match(text, /^Sluice 1\.2\.3; Node 24\.0\.0; no Nix; /);
  assert.match(text, /^deb-xz +– +≥ 1\.1 +✓ +– +1\.00 +– +2\.00 +– +200 +191 +– /m);
});

test('a report says that all is well, or nothing of the kind where nothing was measured', () => {
  assert.match(printReport(report([transferRow(), graphRow(0.1, 1)])), /^All targets of 2 rows are met\.$/m);
  const leftOut = [{ row: 'huge-xz', reason: 'nginx is missing' }];
  const text = printReport(report([], { leftOut }));
  assert.doesNotMatch(text, /All targets|ratio/);
  assert.match(text, /^left out: huge-xz: nginx is missing$/m);
});

test('the floor is its slowest part, whether or not decoding could be measured', () => {
  assert.deepEqual(highestOf({ decode: 3, hash: 1, write: 2, wait: 0 }), { part: 'decode', seconds: 3 });
  assert.deepEqual(highestOf({ hash: 1, write: 2, wait: 0 }), { part: 'write', seconds: 2 });
});

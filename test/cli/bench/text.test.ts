import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printReport } from '../../../src/cli/bench/text.ts';
import { MIB } from '../../support/transfers.ts';
import { madeUpReport, madeUpStep, madeUpTransfer } from './made-up.ts';

const FAST = ['a', 'b', 'c'].map((name) => madeUpTransfer({ name }));
const TABLE = `\
https://cache.example.org: 2 paths, 2.0 MiB to download, 8.0 MiB of NAR
Every step asks for all narinfos, then makes all paths valid in a fresh throw-away store.

             narinfo latency, ms   narinfos                                 transfers   MiB of NAR a thread-second
at once    p50   p90   p99   max   a second   reached  paths/s  down MiB/s  NAR MiB/s          decode  hash  write
      1   5.00  9.00  10.0  10.0        182         2     10.0        10.0       40.0             133   200    400
  1,280   5.00  9.00  10.0  10.0        182         3     15.0        15.0       60.0             133   200    400

Best: 1,280 at once, 15.0 MiB/s downloaded, 60.0 MiB/s of NAR.
`;

describe('the table', () => {
  test('has a line for each step, with numbers that end in one column', () => {
    assert.equal(printReport(madeUpReport([madeUpStep(1), madeUpStep(1280, FAST)])), TABLE);
  });

  test('has nothing of transfers where there were none', () => {
    const { closure: _, ...report } = madeUpReport([{ ...madeUpStep(4), transfers: undefined }], { to: 'none' });
    assert.equal(
      printReport(report),
      `\
https://cache.example.org
Every step asks for 10 narinfos that the store does not have; name a store path to see transfers.

             narinfo latency, ms   narinfos
at once    p50   p90   p99   max   a second
      4   5.00  9.00  10.0  10.0        182
`,
    );
  });

  test('says what was left out, and why', () => {
    const report = madeUpReport([madeUpStep(1)]);
    const leftOut = { paths: 3, narBytes: 9 * MIB, downloadBytes: 5 * MIB };
    const text = printReport({ ...report, closure: { ...report.closure!, leftOut, incompletePaths: 1 } });
    assert.match(text, /\nLeft out by --limit or --max-size: 3 paths, 5\.0 MiB to download\.\n/);
    assert.match(text, /\nLeft out because the store lacks what they refer to: 1 path\.\n/);
  });

  test('has a dash where nothing was written, and says so', () => {
    const text = printReport(madeUpReport([madeUpStep(1, [madeUpTransfer({ write: 0 })])], { to: 'nowhere' }));
    assert.match(text, / –\n$/);
    assert.match(text, /; nothing is written\.\n/);
  });
});

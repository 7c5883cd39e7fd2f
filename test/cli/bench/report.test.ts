import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestStep, printJson, reportStep } from '../../../src/cli/bench/report.ts';
import { MIB } from '../../support/transfers.ts';
import { madeUpReport, madeUpStep, madeUpTransfer } from './made-up.ts';

test('a step is summed up with units in the names', () => {
  assert.deepEqual(reportStep(madeUpStep(4)), {
    parallelism: 4,
    narinfos: {
      queries: 10,
      found: 10,
      milliseconds: 55,
      queriesPerSecond: 10_000 / 55,
      latencyMilliseconds: { p50: 5, p90: 9, p99: 10, max: 10 },
    },
    transfers: {
      paths: 2,
      narBytes: 8 * MIB,
      downloadedBytes: 2 * MIB,
      milliseconds: 200,
      pathsPerSecond: 10,
      downloadedBytesPerSecond: 10 * MIB,
      narBytesPerSecond: 40 * MIB,
      mostAtOnce: 2,
      threads: 2,
      waitMilliseconds: { p50: 20, p90: 20, p99: 20, max: 20 },
      threadMilliseconds: { decode: 60, hash: 40, write: 20 },
      narBytesPerThreadSecond: { decode: (8 * MIB * 1000) / 60, hash: (8 * MIB * 1000) / 40, write: 400 * MIB },
      commits: 2,
      commitMilliseconds: 15,
    },
  });
});

test('what was not measured is missing', () => {
  const nothingWritten = reportStep(madeUpStep(1, [madeUpTransfer({ write: 0 })]));
  assert.deepEqual(Object.keys(nothingWritten.transfers!.narBytesPerThreadSecond), ['decode', 'hash']);
  const nothingTransferred = reportStep({ ...madeUpStep(1), transfers: undefined });
  assert.deepEqual(Object.keys(nothingTransferred), ['parallelism', 'narinfos']);
});

test('JSON is one line, in which numbers have three decimals', () => {
  const text = printJson(madeUpReport([madeUpStep(1)]));
  assert.match(text, /^\{.*"queriesPerSecond":181\.818,.*\}\n$/);
  const { store, to, closure } = JSON.parse(text) as { store: string; to: string; closure: object };
  assert.deepEqual([store, to], ['https://cache.example.org', 'store']);
  assert.deepEqual(Object.keys(closure), [
    'paths',
    'narBytes',
    'downloadBytes',
    'leftOut',
    'incompletePaths',
    'discovery',
  ]);
});

test('the best step is the one that unpacks most, or asks most where nothing is transferred', () => {
  const fast = [madeUpTransfer(), madeUpTransfer(), madeUpTransfer()];
  const [slow, best, last] = [madeUpStep(1), madeUpStep(4, fast), madeUpStep(16)].map(reportStep);
  assert.equal(bestStep([slow!, best!, last!]), best);
  const queries = madeUpStep(1).narinfos;
  const asked = [60, 30, 90].map((length) =>
    reportStep({
      parallelism: length,
      narinfos: { ...queries, ended: queries.started + length },
      transfers: undefined,
    }),
  );
  assert.equal(bestStep(asked)?.parallelism, 30);
});

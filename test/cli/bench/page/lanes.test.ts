import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { averageInFlight, loadOf, packRows, threadLanes } from '../../../../src/cli/bench/page/lanes.ts';
import type { Span } from '../../../../src/cli/bench/records.ts';
import { BEGIN, madeUpTransfer } from '../made-up.ts';

const span = (started: number, ended: number): Span => ({ started, ended });
const WHOLE = span(BEGIN, BEGIN + 400);

test('every thread that did something has a lane, numbered from one', () => {
  const transfers = [7, 3, 7].map((thread) => madeUpTransfer({ thread }));
  const lanes = threadLanes(transfers);
  assert.deepEqual(
    lanes.map(({ number, transfers: { length } }) => [number, length]),
    [
      [1, 1],
      [2, 2],
    ],
  );
});

test('what overlaps gets rows of its own, and a row that has become free is used again', () => {
  const spans = [span(0, 10), span(5, 20), span(10, 12), span(11, 13), span(20, 30)];
  const { items, rows } = packRows(spans, (item) => item);
  assert.deepEqual(
    items.map(({ item, row }) => [item.started, row]),
    [
      [0, 0],
      [5, 1],
      [10, 0],
      [11, 2],
      [20, 0],
    ],
  );
  assert.equal(rows, 3);
});

test('how many were under way is an average over each part of the time', () => {
  assert.deepEqual(averageInFlight([span(0, 40), span(10, 30), span(25, 30)], span(0, 40), 4), [1, 2, 2.5, 1]);
});

test('a span outside the whole time is counted where it is inside', () => {
  assert.deepEqual(averageInFlight([span(-10, 20), span(35, 99)], span(0, 40), 4), [1, 1, 0, 0.5]);
});

describe('the load of a thread', () => {
  test('spreads the work of a transfer over its time after the first byte', () => {
    const transfer = madeUpTransfer({ started: 80, wait: 20, unpack: 200, decode: 100, hash: 40, write: 20 });
    const load = loadOf([transfer], WHOLE, 4).map(({ decode, hash, write }) => [decode, hash, write]);
    const expected = [
      [0, 0, 0],
      [0.5, 0.2, 0.1],
      [0.5, 0.2, 0.1],
      [0, 0, 0],
    ];
    assert.deepEqual(
      load.map((shares) => shares.map((share) => Math.round(share * 1000) / 1000)),
      expected,
    );
  });

  test('is never more than all of its time', () => {
    const busy = { started: 0, wait: 0, unpack: 100, decode: 60, hash: 20, write: 20 };
    const [first] = loadOf([madeUpTransfer(busy), madeUpTransfer(busy)], WHOLE, 4);
    assert.ok(Math.abs(first!.decode + first!.hash + first!.write - 1) < 1e-6);
    assert.ok(Math.abs(first!.decode - 0.6) < 1e-6);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lanes } from '../../../src/cli/trace/lanes.ts';

test('what overlaps is placed on lanes of its own, what follows on the same', () => {
  const lanes = new Lanes();
  assert.deepEqual([lanes.place(0, 5), lanes.place(5, 7), lanes.place(1, 8), lanes.place(7, 9)], [0, 0, 1, 0]);
});

test('of the lanes that are free, the one that was used last is taken', () => {
  const lanes = new Lanes();
  lanes.place(0, 3);
  lanes.place(2, 5);
  assert.equal(lanes.place(6, 7), 1);
});

const anyIntervals = fc
  .array(fc.record({ start: fc.nat(50), length: fc.integer({ min: 1, max: 20 }) }), { maxLength: 40 })
  .map((all) => all.map(({ start, length }) => ({ start, end: start + length })).sort((a, b) => a.end - b.end));

test('no two intervals of a lane overlap, and there are as many lanes as intervals overlap at most', () => {
  fc.assert(
    fc.property(anyIntervals, (intervals) => {
      const lanes = new Lanes();
      const placed = intervals.map(({ start, end }) => ({ start, end, lane: lanes.place(start, end) }));
      for (const [index, a] of placed.entries()) {
        for (const b of placed.slice(0, index)) assert.ok(a.lane !== b.lane || a.start >= b.end);
      }
      const overlapping = intervals.map(({ start: at }) =>
        intervals.filter(({ start, end }) => start <= at && at < end),
      );
      const most = Math.max(0, ...overlapping.map(({ length }) => length));
      assert.equal(new Set(placed.map(({ lane }) => lane)).size, most);
    }),
  );
});

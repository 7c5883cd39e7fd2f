import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Slice } from '../../../src/cli/trace/lane-group.ts';
import { transferSlice } from '../../../src/cli/trace/transfer-slice.ts';

const none = { thread: 1, started: 0, wait: 0, unpack: 0, decode: 0, hash: 0, write: 0 };

test('a transfer waits, then works: decoding, hashing and writing are drawn one after the other', () => {
  const timings = { ...none, wait: 10, unpack: 100, decode: 40, hash: 20.5, write: 30 };
  assert.deepEqual(transferSlice('hello', { timings, taken: 1_000, from: 900, to: 200_000 }), {
    name: 'hello',
    start: 1_000,
    end: 111_000,
    parts: [
      { name: 'wait', start: 1_000, end: 11_000 },
      {
        name: 'work',
        start: 11_000,
        end: 111_000,
        parts: [
          { name: 'decode', start: 11_000, end: 51_000 },
          { name: 'hash', start: 51_000, end: 71_500 },
          { name: 'write', start: 71_500, end: 101_500 },
        ],
      },
    ],
  });
});

test('what took no time is not drawn', () => {
  const timings = { ...none, wait: 10 };
  const { parts } = transferSlice('empty', { timings, taken: 0, from: 0, to: 20_000 });
  assert.deepEqual(parts, [{ name: 'wait', start: 0, end: 10_000 }]);
});

test('a worker whose clock differs is drawn between the job and its reply', () => {
  const timings = { ...none, wait: 10, unpack: 10 };
  const early = transferSlice('x', { timings, taken: -5_000, from: 1_000, to: 50_000 });
  assert.deepEqual([early.start, early.end], [1_000, 21_000]);
  const late = transferSlice('x', { timings, taken: 60_000, from: 1_000, to: 50_000 });
  assert.deepEqual([late.start, late.end, late.parts], [50_000, 50_000, []]);
});

test('parts lie within their whole and apart from each other, whatever the clocks say', () => {
  const time = fc.double({ min: 0, max: 50, noNaN: true });
  const timings = fc.record({ wait: time, unpack: time, decode: time, hash: time, write: time });
  fc.assert(
    fc.property(timings, fc.integer({ min: -99_999, max: 99_999 }), fc.nat(99_999), (spent, taken, length) => {
      const slice = transferSlice('x', { timings: { ...none, ...spent }, taken, from: 1_000, to: 1_000 + length });
      checkWithin(slice, { start: 1_000, end: 1_000 + length });
    }),
  );
});

function checkWithin(slice: Slice, { start, end }: { readonly start: number; readonly end: number }): void {
  assert.ok(Number.isSafeInteger(slice.start) && Number.isSafeInteger(slice.end));
  assert.ok(start <= slice.start && slice.start <= slice.end && slice.end <= end);
  let free = slice.start;
  for (const part of slice.parts ?? []) {
    checkWithin(part, { start: free, end: slice.end });
    free = part.end;
  }
}

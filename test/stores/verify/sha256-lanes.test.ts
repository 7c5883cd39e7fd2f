import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { BLOCK, type Lane, openLanes, paddingOf } from '../../../src/stores/verify/sha256-lanes.ts';

const SIZE = 4096;
const buffers = [Buffer.allocUnsafeSlow(SIZE + 128), Buffer.allocUnsafeSlow(SIZE + 128)] as const;
const lanes = openLanes(buffers);

/** Fills the buffer of a lane with a text of that length and what follows it. */
function fill(lane: Lane, length: number): { readonly text: Buffer; readonly blocks: number } {
  const text = randomFillSync(buffers[lane].subarray(0, length));
  const padding = paddingOf(length);
  buffers[lane].set(padding, length);
  return { text, blocks: (length + padding.length) / BLOCK };
}

describe('two lanes of sha256', { skip: lanes === undefined && 'this machine or this Node has them not' }, () => {
  const expected = (text: Buffer): Buffer => createHash('sha256').update(text).digest();

  for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 4000]) {
    test(`come to the hash of ${length} bytes beside ${SIZE}`, () => {
      for (const short of [0, 1] as const) {
        const long = short === 0 ? 1 : 0;
        const a = fill(short, length);
        const b = fill(long, SIZE);
        lanes!.start(0);
        lanes!.start(1);
        lanes!.update([0, 0], a.blocks);
        lanes!.updateOne(long, a.blocks * BLOCK, b.blocks - a.blocks);
        assert.deepEqual(Buffer.from(lanes!.digest(short)), expected(a.text));
        assert.deepEqual(Buffer.from(lanes!.digest(long)), expected(b.text));
      }
    });
  }

  test('begin again while the other goes on', () => {
    const first = fill(0, 55);
    const long = fill(1, 2 * BLOCK);
    lanes!.start(0);
    lanes!.start(1);
    lanes!.update([0, 0], 1);
    assert.deepEqual(Buffer.from(lanes!.digest(0)), expected(first.text));
    const second = fill(0, 64 + 55);
    lanes!.start(0);
    lanes!.update([0, BLOCK], 2);
    assert.deepEqual(Buffer.from(lanes!.digest(0)), expected(second.text));
    assert.deepEqual(Buffer.from(lanes!.digest(1)), expected(long.text));
  });
});

test('what follows a text ends with a block, and says how long the text was', () => {
  for (const bytes of [0, 1, 54, 55, 56, 63, 64, 65, 2 ** 33 + 7]) {
    const padding = Buffer.from(paddingOf(bytes));
    assert.equal((bytes + padding.length) % BLOCK, 0);
    assert.ok(padding.length <= 72);
    assert.equal(padding[0], 0x80);
    assert.ok(padding.subarray(1, -8).every((byte) => byte === 0));
    assert.equal(padding.readBigUInt64BE(padding.length - 8), BigInt(bytes) * 8n);
  }
});

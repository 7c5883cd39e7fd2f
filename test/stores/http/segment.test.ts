import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TransferError } from '../../../src/errors.ts';
import { Segment } from '../../../src/stores/http/segment.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('a range on its way', () => {
  test('is read while it comes, in pieces that are not too large', async () => {
    const segment = new Segment(100, 6);
    assert.deepEqual([segment.start, segment.length, segment.end], [100, 6, 106]);
    const chunk = Buffer.from('abc');
    segment.take(chunk);
    chunk.fill(0); // it belongs to the source
    assert.equal(text(await segment.read(2)), 'ab');
    assert.equal(text(await segment.read(2)), 'c');
    const later = segment.read(10);
    assert.equal(segment.isSettled, false);
    segment.take(Buffer.from('def'));
    assert.equal(segment.isSettled, true);
    assert.equal(text(await later), 'def');
  });

  test('tells when its first byte has come', async () => {
    const segment = new Segment(0, 2);
    const begun = segment.begun();
    segment.take(Buffer.from('a'));
    await begun;
    await segment.begun();
  });

  test('hands out what came before it failed, and then the failure', async () => {
    const failure = new TransferError('reset');
    const segment = new Segment(0, 4);
    segment.take(Buffer.from('ab'));
    segment.fail(failure);
    assert.equal(segment.isSettled, true);
    assert.equal(text(await segment.read(10)), 'ab');
    await assert.rejects(segment.read(10), failure);
  });

  test('wakes up those who wait when it fails', async () => {
    const failure = new TransferError('refused');
    const segment = new Segment(0, 4);
    const begun = segment.begun();
    segment.fail(failure);
    await assert.rejects(begun, failure);
  });

  test('cannot fail when all of it has come', async () => {
    const segment = new Segment(0, 2);
    segment.take(Buffer.from('ab'));
    segment.fail(new TransferError('reset'));
    assert.equal(text(await segment.read(10)), 'ab');
  });

  test('takes no more than it has room for', () => {
    const segment = new Segment(0, 2);
    assert.throws(() => segment.take(Buffer.from('abc')), TransferError);
  });
});

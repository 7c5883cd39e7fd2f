import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { bytesBody } from '../../../src/stores/http/send.ts';
import { partOf, smallBody } from '../../../src/stores/s3/body.ts';
import { bytes } from '../../support/seeded.ts';

const CONTENT = Buffer.from(bytes(2_500_000, { seed: 3 }));

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('a body for S3', () => {
  test('has its hash', () => {
    const body = smallBody(CONTENT);
    assert.equal(body.sha256, sha256(CONTENT));
    assert.equal(body.size, CONTENT.length);
    assert.deepEqual(body.read(5, 3), CONTENT.subarray(5, 8));
  });

  for (const [offset, size, length] of [
    [0, 1_200_000, 1_200_000],
    [1_200_000, 1_200_000, 1_200_000],
    [2_400_000, 1_200_000, 100_000],
    [0, 9_000_000, 2_500_000],
  ] as const) {
    test(`is the part of another, ${size} bytes from ${offset} on`, async () => {
      const wanted = CONTENT.subarray(offset, offset + length);
      const part = await partOf(bytesBody(CONTENT), offset, size);
      assert.equal(part.size, length);
      assert.equal(part.sha256, sha256(wanted));
      assert.ok(wanted.equals(part.read(0, length)));
      assert.ok(wanted.subarray(-10).equals(part.read(length - 10, 64 * 1024))); // no more than the part
    });
  }
});

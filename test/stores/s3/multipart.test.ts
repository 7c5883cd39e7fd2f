import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Misbehaviour } from '../../support/http-cache.ts';
import { OK, openBucket, put, refusal } from '../../support/s3-bucket.ts';

/** Three parts. */
const LARGE = Buffer.alloc(11_000_000, 'x');
const MULTIPART = { 'multipart-upload': 'true', 'multipart-threshold': '5242880' };
const STARTED: Misbehaviour = { status: 200, body: Buffer.from('<R><UploadId>u1</UploadId></R>') };
const TAGGED: Misbehaviour = { ...OK, headers: { etag: '"tag"' } };

describe('an upload to S3 in parts', () => {
  test('is taken back when one of its parts fails, after the others have ended', async () => {
    await using bucket = await openBucket((request) => {
      if (request.startsWith('POST')) return STARTED;
      return request.includes('partNumber=2') ? refusal(403, 'AccessDenied') : TAGGED;
    }, MULTIPART);
    await assert.rejects(put(bucket, 'x', LARGE), /403, AccessDenied/);
    assert.equal(bucket.requests[0], 'POST cache/x?uploads=');
    assert.equal(bucket.requests.at(-1), 'DELETE cache/x?uploadId=u1');
    assert.equal(bucket.requests.filter((request) => request.startsWith('DELETE')).length, 1);
  });

  test('is taken back when it is cancelled', async () => {
    const controller = new AbortController();
    await using bucket = await openBucket((request) => {
      if (request.startsWith('POST')) return STARTED;
      if (request.startsWith('DELETE')) return { status: 204 };
      controller.abort(new Error('enough'));
      return { after: new Promise(() => {}) };
    }, MULTIPART);
    await assert.rejects(put(bucket, 'x', LARGE, { signal: controller.signal }), /enough/);
    assert.equal(bucket.requests.at(-1), 'DELETE cache/x?uploadId=u1');
  });

  test('is taken back when S3 says, with status 200, that it cannot be completed', async () => {
    await using bucket = await openBucket((request) => {
      if (request.endsWith('uploads=')) return STARTED;
      return request.startsWith('POST') ? refusal(200, 'InternalError') : TAGGED;
    }, MULTIPART);
    await assert.rejects(put(bucket, 'x', LARGE), /200, InternalError/);
    assert.equal(bucket.requests.filter((request) => request === 'POST cache/x?uploadId=u1').length, 5);
    assert.equal(bucket.requests.at(-1), 'DELETE cache/x?uploadId=u1');
  });

  test('counts as complete where the answer to that was lost', async () => {
    await using bucket = await openBucket((request, count) => {
      if (request.endsWith('uploads=')) return STARTED;
      if (!request.startsWith('POST')) return TAGGED;
      return count === 1 ? { ...OK, headers: { 'content-length': '100' }, truncate: 0 } : refusal(404, 'NoSuchUpload');
    }, MULTIPART);
    await put(bucket, 'x', LARGE);
    assert.equal(bucket.requests.at(-1), 'HEAD cache/x');
  });
});

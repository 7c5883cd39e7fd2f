import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SubstituteGoneError, TransferError } from '../../../src/errors.ts';
import { OK, openBucket, put, refusal } from '../../support/s3-bucket.ts';
import { bytes } from '../../support/seeded.ts';

/** Too much for memory. */
const LARGE = Buffer.from(bytes(2_000_000, { seed: 8 }));

describe('an S3 transport', () => {
  test('signs what it reads', async () => {
    await using bucket = await openBucket(() => ({ status: 200, body: Buffer.from('hello') }));
    assert.equal(Buffer.from((await bucket.transport.getFile('x.narinfo', 5))!).toString(), 'hello');
    assert.match(String(bucket.headers[0]!.authorization), /^AWS4-HMAC-SHA256 Credential=test:writer\//);
  });

  test('takes 403 for a file that is missing, but not for a cache that is', async () => {
    await using bucket = await openBucket(() => refusal(403, 'AccessDenied'));
    assert.equal(await bucket.transport.getFile('x.narinfo', 5), undefined);
    await assert.rejects(
      bucket.transport.streamFile('nar/x', () => {}),
      SubstituteGoneError,
    );
    await assert.rejects(bucket.transport.getFile('nix-cache-info', 5), /403, AccessDenied/);
  });

  test('says that there is no cache where the bucket is open and empty', async () => {
    await using bucket = await openBucket(() => refusal(404, 'NoSuchKey'));
    assert.equal(await bucket.transport.getFile('nix-cache-info', 5), undefined);
    await using none = await openBucket(() => refusal(404, 'NoSuchBucket'));
    await assert.rejects(none.transport.getFile('nix-cache-info', 5), /404, NoSuchBucket/);
  });

  test('explains what it could not read in the words of S3', async () => {
    await using bucket = await openBucket(() => refusal(400, 'ExpiredToken'));
    await assert.rejects(bucket.transport.getFile('x.narinfo', 5), (error) => {
      return error instanceof TransferError && /400, ExpiredToken/.test(error.message) && /log in/.test(error.hint!);
    });
  });

  test('names the region of a bucket that is in another one', async () => {
    await using bucket = await openBucket(() => ({ status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } }));
    await assert.rejects(bucket.transport.getFile('x.narinfo', 5), { hint: /\?region=eu-west-1$/ });
    await assert.rejects(
      bucket.transport.streamFile('nar/x', () => {}),
      { hint: /\?region=eu-west-1$/ },
    );
  });

  test('asks S3 for no reason where a file lies elsewhere', async () => {
    await using bucket = await openBucket(() => refusal(400, 'ExpiredToken'));
    await assert.rejects(
      bucket.transport.streamFile('/elsewhere', () => {}),
      (error) => error instanceof TransferError && !/ExpiredToken/.test(error.message),
    );
    assert.deepEqual(bucket.requests, ['GET elsewhere']);
  });

  test('puts a file with its type and its storage class', async () => {
    await using bucket = await openBucket(() => OK, { 'storage-class': 'GLACIER_IR' });
    for (const name of ['x.narinfo', 'nar/x.nar.xz', 'nix-cache-info']) await put(bucket, name, Buffer.from('hello'));
    assert.deepEqual(bucket.requests, ['PUT cache/x.narinfo', 'PUT cache/nar/x.nar.xz', 'PUT cache/nix-cache-info']);
    assert.deepEqual(
      bucket.headers.map((headers) => headers['content-type']),
      ['text/x-nix-narinfo', 'application/x-nix-nar', 'text/x-nix-cache-info'],
    );
    for (const headers of bucket.headers) {
      assert.equal(headers['content-length'], '5');
      assert.equal(headers['x-amz-storage-class'], 'GLACIER_IR');
      assert.match(String(headers.authorization), /x-amz-storage-class/);
    }
  });

  test('tries again what S3 says may pass, and tells', async () => {
    await using bucket = await openBucket((_, count) => (count < 3 ? refusal(503, 'SlowDown') : OK));
    const failures: string[] = [];
    await put(bucket, 'x', LARGE, { onRetry: (error: Error) => failures.push(error.message) });
    assert.deepEqual(bucket.requests, ['PUT cache/x', 'PUT cache/x', 'PUT cache/x']);
    assert.equal(failures.length, 2);
    assert.match(failures[0]!, /503, SlowDown/);
  });

  test('does not try again what S3 refuses', async () => {
    await using bucket = await openBucket(() => refusal(403, 'AccessDenied'));
    await assert.rejects(put(bucket, 'x', LARGE), /PUT '.*cache\/x' with status 403, AccessDenied/);
    assert.equal(bucket.requests.length, 1);
  });

  test('does not upload what is there, where that is as good', async () => {
    await using bucket = await openBucket(() => OK);
    await put(bucket, 'x', LARGE, { unlessExists: true });
    assert.deepEqual(bucket.requests, ['HEAD cache/x']);
    for (const status of [403, 404]) {
      await using empty = await openBucket((request) => (request.startsWith('HEAD') ? { status } : OK));
      await put(empty, 'x', LARGE, { unlessExists: true });
      assert.deepEqual(empty.requests, ['HEAD cache/x', 'PUT cache/x']);
    }
  });

  test('puts nothing where there is nothing to put', async () => {
    await using bucket = await openBucket(() => OK);
    await assert.rejects(
      bucket.transport.putFile(async (sink) => {
        await sink(LARGE);
        throw new Error('broken');
      }),
      /broken/,
    );
    assert.deepEqual(bucket.requests, []);
  });

  test('puts no file beside the cache', async () => {
    await using bucket = await openBucket(() => OK);
    for (const name of ['../x', '/x', 'https://other.example.org/x']) {
      await assert.rejects(put(bucket, name, Buffer.from('x')), /names no file of the binary cache/);
    }
    assert.deepEqual(bucket.requests, []);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { parseS3WriteParams } from '../../../src/stores/s3/params.ts';

const GIBIBYTE = 2 ** 30;

/** Defaults and limits as in Nix 2.35, s3-binary-cache-store.hh. */
const THRESHOLDS = [
  [{}, 5 * GIBIBYTE, 'what one request holds, where parts are not asked for'],
  [{ 'multipart-threshold': '1' }, 5 * GIBIBYTE, 'the same, whatever the threshold'],
  [{ 'multipart-upload': 'true' }, 104_857_600, '100 MiB'],
  [{ 'multipart-upload': 'true', 'multipart-threshold': '7' }, 7, 'the threshold'],
  [
    { 'multipart-upload': 'true', 'multipart-threshold': '99999999999' },
    5 * GIBIBYTE,
    'what one request holds at most',
  ],
] as const;

const REJECTED = [
  [{ 'multipart-chunk-size': '5242879' }, 'parts that S3 does not take', 'wants 5242880 to 5368709120, got 5242879'],
  [{ 'multipart-chunk-size': '5368709121' }, 'parts that are too large', 'got 5368709121'],
  [{ 'multipart-threshold': '5M' }, 'a size with a unit', "wants a number of bytes, got '5M'"],
  [{ 'multipart-upload': 'maybe' }, 'neither yes nor no', 'wants true or false'],
  [{ 'storage-class': 'A\r\nx-amz-acl: public-read' }, 'a class that would be another header', 'wants a class'],
] as const;

describe('an S3 cache is written', () => {
  for (const [params, threshold, why] of THRESHOLDS) {
    test(`in parts from ${why} on, with ${JSON.stringify(params)}`, () => {
      assert.equal(parseS3WriteParams(params).multipartThreshold, threshold);
    });
  }

  test('in parts of 5 MiB, or of the size that is wanted', () => {
    assert.equal(parseS3WriteParams({}).multipartChunkSize, 5_242_880);
    assert.equal(parseS3WriteParams({ 'multipart-chunk-size': '6000000' }).multipartChunkSize, 6_000_000);
  });

  test('with the storage class that is wanted', () => {
    assert.equal(parseS3WriteParams({}).storageClass, undefined);
    assert.equal(parseS3WriteParams({ 'storage-class': 'GLACIER_IR' }).storageClass, 'GLACIER_IR');
  });

  for (const [params, why, words] of REJECTED) {
    test(`but not with ${why}`, () => {
      assert.throws(
        () => parseS3WriteParams(params),
        (error) => error instanceof UsageError && error.message.includes(words),
      );
    });
  }
});

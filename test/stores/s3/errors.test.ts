import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseS3ErrorCode, s3Error } from '../../../src/stores/s3/errors.ts';

const CONTEXT = {
  method: 'GET',
  url: new URL('https://s3.example.org/cache/x?X-Amz-Signature=secret'),
  bucket: 'cache',
  signed: true,
};

function body(code: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>secret</Message><AWSAccessKeyId>secret</AWSAccessKeyId></Error>`,
  );
}

/** Which are worth another attempt is as in Nix 2.35, libstore/filetransfer.cc. */
const ANSWERS = [
  [503, 'SlowDown', true, undefined],
  [500, 'InternalError', true, undefined],
  [400, 'RequestTimeout', true, undefined],
  [403, 'RequestTimeTooSkewed', true, /clock/],
  [403, 'AccessDenied', false, /s3:ListBucket/],
  [403, 'InvalidAccessKeyId', false, /AWS_ACCESS_KEY_ID/],
  [403, 'SignatureDoesNotMatch', false, /AWS_SECRET_ACCESS_KEY/],
  [400, 'ExpiredToken', false, /session has expired/],
  [404, 'NoSuchBucket', false, /make the bucket/],
  [404, 'NoSuchKey', false, undefined],
  [501, 'NotImplemented', false, undefined],
] as const;

describe('an error of S3', () => {
  for (const [status, code, transient, hint] of ANSWERS) {
    test(`${status} ${code} may ${transient ? 'pass' : 'not pass'}, and has ${hint ? 'a' : 'no'} hint`, () => {
      const error = s3Error({ status, headers: {}, body: body(code) }, CONTEXT);
      assert.equal(error.message, `S3 answered GET 'https://s3.example.org/cache/x' with status ${status}, ${code}`);
      assert.equal(error.status, status);
      assert.equal(error.transient, transient);
      assert.match(error.hint ?? 'no hint', hint ?? /^no hint$/);
    });
  }

  test('without words of S3 still says its status, and for how long to wait', () => {
    const error = s3Error({ status: 429, headers: { 'retry-after': '7' }, body: Buffer.from('<html>') }, CONTEXT);
    assert.match(error.message, /with status 429$/);
    assert.equal(error.retryAfter, 7_000);
  });

  test('to those without credentials says how to have some', () => {
    const refusal = { status: 403, headers: {}, body: body('AccessDenied') };
    assert.match(s3Error(refusal, { ...CONTEXT, signed: false }).hint!, /no credentials/);
  });

  test('names the region that a bucket is in', () => {
    const hints = [
      { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' }, body: body('PermanentRedirect') },
      { status: 400, headers: {}, body: Buffer.from('<Error><Code>A</Code><Region>eu-west-1</Region></Error>') },
    ].map((refusal) => s3Error(refusal, CONTEXT).hint);
    assert.deepEqual(new Set(hints), new Set(["bucket 'cache' is in another region: ?region=eu-west-1"]));
    const nonsense = { status: 301, headers: { 'x-amz-bucket-region': 'x\u001b[2J' }, body: Buffer.from('') };
    assert.equal(s3Error(nonsense, CONTEXT).hint, undefined);
  });

  test('has a code only where it is one', () => {
    assert.equal(parseS3ErrorCode(body('NoSuchKey')), 'NoSuchKey');
    assert.equal(parseS3ErrorCode(body('\u001b[2J')), undefined);
    assert.equal(parseS3ErrorCode(Buffer.from('<Result><Code>NoSuchKey</Code></Result>')), undefined);
    assert.equal(parseS3ErrorCode(Buffer.from('')), undefined);
  });
});

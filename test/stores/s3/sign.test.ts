import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { S3Credentials } from '../../../src/stores/s3/credentials.ts';
import { openS3Signer, type S3Signer } from '../../../src/stores/s3/sign.ts';

const ORIGIN = 'https://examplebucket.s3.amazonaws.com';

/** From the Amazon S3 API Reference, "Signature Calculations for the Authorization Header: … Single Chunk", examples. */
const EXAMPLE: S3Credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const EXAMPLE_DATE = Date.UTC(2013, 4, 24);
const SIGNATURES = [
  ['?lifecycle=', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
  ['?max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
] as const;

function signer(credentials: S3Credentials | undefined): S3Signer {
  return openS3Signer({ region: 'us-east-1', origin: ORIGIN, credentials: async () => credentials });
}

function get(path: string): { method: string; url: URL; headers: Record<string, string> } {
  return { method: 'GET', url: new URL(path, ORIGIN), headers: { 'user-agent': 'x', range: 'bytes=1-' } };
}

describe('a request to S3', () => {
  for (const [query, signature] of SIGNATURES) {
    test(`with ${query} is signed as Amazon signs its example`, async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: EXAMPLE_DATE });
      const { authorization } = await signer(EXAMPLE)(get(`/${query}`));
      assert.equal(
        authorization,
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
          `SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`,
      );
    });
  }

  test('keeps the headers that it had, which proxies may change', async () => {
    const headers = await signer(EXAMPLE)(get('/'));
    assert.equal(headers.range, 'bytes=1-');
    assert.equal(headers.host, undefined);
    assert.doesNotMatch(headers.authorization!, /range|user-agent/);
  });

  test('has one signature, however its path is spelled', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: EXAMPLE_DATE });
    const [first, ...others] = await Promise.all(
      ['/a+b/(c)', '/a%2Bb/%28c%29', '/a+b/%28c)'].map((path) => signer(EXAMPLE)(get(path))),
    );
    for (const other of others) assert.equal(other.authorization, first!.authorization);
  });

  test('with a path that is no text is signed all the same', async () => {
    assert.ok((await signer(EXAMPLE)(get('/%ff'))).authorization);
  });

  test('says the hash of its body, and its session', async () => {
    const payloadHash = 'ab'.repeat(32);
    const headers = await signer({ ...EXAMPLE, sessionToken: 'token' })({ ...get('/x'), method: 'PUT', payloadHash });
    assert.equal(headers['x-amz-content-sha256'], payloadHash);
    assert.equal(headers['x-amz-security-token'], 'token');
    assert.match(headers.authorization!, /SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,/);
  });

  test('is not signed without credentials, nor for another host', async () => {
    const plain = { 'user-agent': 'x', range: 'bytes=1-' };
    assert.deepEqual(await signer(undefined)(get('/')), plain);
    assert.deepEqual(await signer(EXAMPLE)(get('https://other.example.org/')), plain);
    assert.deepEqual(await signer(EXAMPLE)(get('http://examplebucket.s3.amazonaws.com/')), plain);
  });
});

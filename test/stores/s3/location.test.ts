import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../../src/errors.ts';
import { parseStoreReference } from '../../../src/formats/store-reference.ts';
import { locateS3 } from '../../../src/stores/s3/location.ts';

/** Store URIs, and where their files are. As Nix 2.35 has it, libstore-tests/s3-url.cc. */
const LOCATED = [
  ['s3://cache', 'https://cache.s3.us-east-1.amazonaws.com/'],
  ['s3://cache?region=eu-west-2', 'https://cache.s3.eu-west-2.amazonaws.com/'],
  ['s3://cache?scheme=http', 'http://cache.s3.us-east-1.amazonaws.com/'],
  ['s3://cache/nix/%C3%A9', 'https://cache.s3.us-east-1.amazonaws.com/nix/%C3%A9/'],
  ['s3://cache//nix//', 'https://cache.s3.us-east-1.amazonaws.com/nix/'],
  ['s3://cache.example.org', 'https://s3.us-east-1.amazonaws.com/cache.example.org/'],
  ['s3://cache?addressing-style=path', 'https://s3.us-east-1.amazonaws.com/cache/'],
  ['s3://cache?endpoint=', 'https://cache.s3.us-east-1.amazonaws.com/'],
  ['s3://cache?endpoint=minio.local', 'https://minio.local/cache/'],
  ['s3://cache/nix?endpoint=minio.local:9000&scheme=http', 'http://minio.local:9000/cache/nix/'],
  ['s3://cache?endpoint=http://[::1]:9000', 'http://[::1]:9000/cache/'],
  ['s3://cache?endpoint=http://minio.local:9000/s3', 'http://minio.local:9000/s3/cache/'],
  ['s3://cache?endpoint=minio.local:9000&addressing-style=virtual', 'https://cache.minio.local:9000/'],
  ['s3://cache.x?endpoint=minio.local&addressing-style=auto', 'https://minio.local/cache.x/'],
] as const;

const REJECTED = [
  ['s3://', 'no bucket', 'names no bucket'],
  ['s3:///prefix', 'only a prefix', 'names no bucket'],
  ['s3://key:secret@cache', 'credentials', 'names no bucket'],
  ['s3://cache?region=a.evil.org/', 'a region that would be another host', "'region' wants a region"],
  ['s3://cache?scheme=ftp', 'another scheme', "'scheme' wants one of https, http, got 'ftp'"],
  ['s3://cache?endpoint=ftp://host', 'an endpoint of another scheme', "'endpoint' wants a host"],
  ['s3://cache?endpoint=key:secret@host', 'an endpoint with a password', "'endpoint' wants a host"],
  ['s3://cache?endpoint=http://host?a=secret', 'an endpoint with a query', "'endpoint' wants a host"],
  ['s3://cache?addressing-style=dns', 'an unknown style', "'addressing-style' wants one of auto, path, virtual"],
  ['s3://ca.che?addressing-style=virtual', 'dots that no certificate covers', 'cannot be a part of a host name'],
] as const;

describe('the files of an S3 cache', () => {
  for (const [uri, url] of LOCATED) {
    test(`${uri} are at ${url}`, () => assert.equal(locateS3(parseStoreReference(uri)).url.href, url));
  }

  for (const [uri, why, words] of REJECTED) {
    test(`cannot be found with ${why}`, () => {
      assert.throws(
        () => locateS3(parseStoreReference(uri)),
        (error) => error instanceof UsageError && error.message.includes(words) && !error.message.includes('secret'),
      );
    });
  }

  test('are in a region, and read in the name of a profile', () => {
    const { region, profile, bucket } = locateS3(parseStoreReference('s3://cache/x?profile=work&region=eu-west-2'));
    assert.deepEqual({ region, profile, bucket }, { region: 'eu-west-2', profile: 'work', bucket: 'cache' });
    assert.equal(locateS3(parseStoreReference('s3://cache?profile=')).profile, undefined);
  });
});

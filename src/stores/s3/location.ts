/**
 * Where the files of an S3 cache are: what `s3://BUCKET/PREFIX?region=…&endpoint=…` means as a URL for HTTP.
 *
 * Source: Nix 2.35 manual, "S3 Binary Cache Store"; libstore/s3-url.cc.
 */
import { UsageError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import type { StoreReference } from '../../formats/store-reference.ts';
import { choiceParam } from './params.ts';

export interface S3Location {
  /** Of the cache, with a slash at its end. */
  readonly url: URL;
  readonly bucket: string;
  readonly region: string;
  /** In the shared configuration of AWS, where one is named. */
  readonly profile: string | undefined;
}

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;
/** It becomes a part of a host name. */
const REGION = /^[a-z0-9-]{1,64}$/;

/** @throws {UsageError} on what cannot name a bucket, and on a value that makes no sense. */
export function locateS3({ authority, params }: StoreReference): S3Location {
  const [, bucket = '', prefix = ''] = /^([^/]*)\/*(.*?)\/*$/.exec(authority) ?? [];
  if (!BUCKET.test(bucket)) {
    const hint = 'write s3://BUCKET or s3://BUCKET/PREFIX; credentials come from the environment or ?profile=NAME';
    throw new UsageError('an s3:// store names no bucket', { hint });
  }
  const { region = 'us-east-1', profile } = params;
  if (!REGION.test(region)) throw new UsageError(`store parameter 'region' wants a region, got ${quote(region)}`);
  const url = params.endpoint ? parseEndpoint(params) : new URL(`${schemeOf(params)}://s3.${region}.amazonaws.com/`);
  if (isVirtual(bucket, params)) url.host = `${bucket}.${url.host}`;
  else url.pathname += `${bucket}/`;
  if (prefix !== '') url.pathname += `${prefix}/`;
  return { url, bucket, region, profile: profile || undefined };
}

/** Whether the bucket is a part of the host name. */
function isVirtual(bucket: string, params: StoreReference['params']): boolean {
  const style = choiceParam(params, 'addressing-style', ['auto', 'path', 'virtual']) ?? 'auto';
  if (style !== 'auto') {
    if (style === 'virtual' && bucket.includes('.')) {
      throw new UsageError(`bucket '${bucket}' cannot be a part of a host name: no certificate covers its dots`, {
        hint: 'leave out addressing-style=virtual',
      });
    }
    return style === 'virtual';
  }
  return !params.endpoint && !bucket.includes('.');
}

/** `HOST`, `HOST:PORT` or a URL, which may have a path. */
function parseEndpoint(params: StoreReference['params']): URL {
  const endpoint = params.endpoint!;
  const text = endpoint.includes('://') ? endpoint : `${schemeOf(params)}://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const { username, password, search, hash } = url ?? {};
  if (url === undefined || !/^https?:$/.test(url.protocol) || username || password || search || hash) {
    // Not shown: it may hold a password.
    throw new UsageError(`store parameter 'endpoint' wants a host or a URL without user, password and query`);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function schemeOf(params: StoreReference['params']): string {
  return choiceParam(params, 'scheme', ['https', 'http']) ?? 'https';
}

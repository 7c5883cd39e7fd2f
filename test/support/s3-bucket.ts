/** A server whose answers a test decides, in the place of S3. What S3 itself answers is for test/interop/s3.test.ts. */
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { makeSettings } from '../../src/settings.ts';
import type { PutOptions } from '../../src/stores/cache-transport.ts';
import { locateS3 } from '../../src/stores/s3/location.ts';
import { parseS3WriteParams } from '../../src/stores/s3/params.ts';
import { S3Transport } from '../../src/stores/s3/transport.ts';
import type { Sink } from '../../src/stores/store.ts';
import { type Misbehaviour, serveCache } from './http-cache.ts';
import { WRITER } from './s3-server.ts';

/** What the server was asked, and a transport to it. */
export interface Bucket extends AsyncDisposable {
  readonly transport: S3Transport;
  readonly requests: string[];
  /** The headers of each request. */
  readonly headers: NodeJS.Dict<string | string[]>[];
}

/** @param answer - `request` is method and path; `count` says how often it has come. */
export async function openBucket(
  answer: (request: string, count: number) => Misbehaviour,
  params: Readonly<Record<string, string>> = {},
): Promise<Bucket> {
  const requests: string[] = [];
  const headers: Bucket['headers'] = [];
  Object.assign(process.env, WRITER);
  await using resources = new AsyncDisposableStack();
  const server = resources.use(
    await serveCache('/nowhere', (name, request) => {
      const asked = `${request.method} ${name}`;
      requests.push(asked);
      headers.push(request.headers);
      request.resume();
      return answer(asked, requests.filter((each) => each === asked).length);
    }),
  );
  const reference = { ...parseStoreReference('s3://cache'), params: { ...params, endpoint: server.url } };
  const settings = makeSettings({ filetransferRetryDelay: 1, filetransferRetryDelayRateLimited: 1 });
  const writing = parseS3WriteParams(params);
  const transport = resources.use(new S3Transport('s3://cache', locateS3(reference), writing, settings));
  const held = resources.move();
  return { transport, requests, headers, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** As S3 refuses. */
export function refusal(status: number, code: string): Misbehaviour {
  return { status, body: Buffer.from(`<Error><Code>${code}</Code></Error>`) };
}

/** Puts a file of which `content` is in one chunk. */
export function put(bucket: Bucket, name: string, content: Uint8Array, options: PutOptions = {}): Promise<void> {
  const pour = async (sink: Sink): Promise<string> => {
    await sink(content);
    return name;
  };
  return bucket.transport.putFile(pour, options);
}

export const OK: Misbehaviour = { status: 200, body: Buffer.from('') };

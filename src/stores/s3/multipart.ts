/**
 * Uploads a large file to S3 in parts, several at once. Nobody sees it before it is whole, and when it fails nothing of it
 * stays, as S3 would keep the parts for ever.
 *
 * Source: Amazon S3 User Guide, "Uploading and copying objects using multipart upload".
 */
import { StoreError, TransferError } from '../../errors.ts';
import type { PutOptions } from '../cache-transport.ts';
import type { SendBody } from '../http/send.ts';
import { partOf, smallBody } from './body.ts';
import type { S3Client } from './client.ts';
import { MAX_S3_BODY_SIZE } from './params.ts';

export interface MultipartOptions extends Pick<PutOptions, 'onRetry' | 'onUpload' | 'signal'> {
  readonly name: string;
  /** Of each part but the last, in bytes. Larger ones are made where there would be too many. */
  readonly chunkSize: number;
  /** Of the file, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

const MAX_PARTS = 10_000;
/** Of one file. */
const PARTS_AT_ONCE = 4;
/** In milliseconds: so long an upload that failed waits until it is taken back. */
const ABORT_TIMEOUT = 30_000;

export async function uploadInParts(client: S3Client, file: SendBody, options: MultipartOptions): Promise<void> {
  const { name, headers, signal, onRetry } = options;
  const partSize = Math.max(options.chunkSize, Math.ceil(file.size / MAX_PARTS));
  if (partSize > MAX_S3_BODY_SIZE) {
    throw new StoreError(
      `'${name}' has ${file.size} bytes: S3 takes ${MAX_PARTS} parts of ${MAX_S3_BODY_SIZE} at most`,
    );
  }
  const started = await client.send({ method: 'POST', name, query: { uploads: '' }, headers, signal, onRetry });
  const uploadId = parseUploadId(started.body, name);
  await using unfinished = new AsyncDisposableStack();
  unfinished.defer(() => takeBack(client, name, uploadId));
  const tags = await uploadParts(client, file, partSize, { ...options, uploadId });
  await complete(client, tags, { ...options, uploadId });
  unfinished.move();
}

interface UploadOptions extends MultipartOptions {
  readonly uploadId: string;
}

/** @returns what S3 calls the parts, in order. When it fails no part is under way any more. */
async function uploadParts(
  client: S3Client,
  file: SendBody,
  partSize: number,
  { name, uploadId, signal, onRetry, onUpload }: UploadOptions,
): Promise<string[]> {
  const count = Math.ceil(file.size / partSize);
  const tags = new Array<string>(count);
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let next = 0;
  const uploadSome = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      either.throwIfAborted();
      const body = await partOf(file, index * partSize, partSize);
      const query = { partNumber: String(index + 1), uploadId };
      const { headers } = await client.send({ method: 'PUT', name, query, body, signal: either, onRetry, onUpload });
      tags[index] = parseTag(headers.etag, name);
    }
  };
  const uploads = Array.from({ length: Math.min(count, PARTS_AT_ONCE) }, async () => {
    try {
      await uploadSome();
    } catch (error) {
      failed.abort(error); // the first reason counts, and is what the others throw
      throw error;
    }
  });
  const ends = await Promise.allSettled(uploads);
  for (const end of ends) if (end.status === 'rejected') throw failed.signal.reason;
  return tags;
}

async function complete(client: S3Client, tags: readonly string[], options: UploadOptions): Promise<void> {
  const { name, uploadId, signal, onRetry } = options;
  const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
  const body = smallBody(Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`));
  const headers = { 'content-type': 'application/xml' };
  let attempts = 1;
  const request = {
    method: 'POST',
    name,
    query: { uploadId },
    headers,
    body,
    signal,
    onRetry: (error) => {
      attempts++;
      onRetry?.(error);
    },
  } as const satisfies Parameters<S3Client['send']>[0];
  try {
    await client.send(request);
  } catch (error) {
    // An attempt whose answer was lost may have made the file, and ended the upload with it.
    const gone = error instanceof TransferError && error.status === 404;
    if (attempts === 1 || !gone || !(await client.exists(name, { signal }))) throw error;
  }
}

/** What cannot be taken back stays: what made it fail is what counts. */
async function takeBack(client: S3Client, name: string, uploadId: string): Promise<void> {
  const signal = AbortSignal.timeout(ABORT_TIMEOUT);
  await client.send({ method: 'DELETE', name, query: { uploadId }, signal }).catch(() => {});
}

function parseUploadId(body: Uint8Array, name: string): string {
  const id = /<UploadId>([^<&]{1,1024})<\/UploadId>/.exec(Buffer.from(body).toString())?.[1];
  if (id === undefined) throw new TransferError(`S3 began the upload of '${name}' without naming it`);
  return id;
}

function parseTag(tag: string | string[] | undefined, name: string): string {
  if (typeof tag === 'string' && /^"?[A-Za-z0-9+/=-]{1,128}"?$/.test(tag)) return tag;
  throw new TransferError(`S3 took a part of '${name}' without naming it`);
}

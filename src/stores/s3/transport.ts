/**
 * A binary cache in a bucket of S3, or of what speaks like it. Reading is what any HTTP cache does, with signed requests.
 *
 * Source: Nix 2.35 libstore/s3-binary-cache-store.cc; manual, "S3 Binary Cache Store".
 */
import { createHash } from 'node:crypto';
import { TransferError } from '../../errors.ts';
import { CACHE_INFO } from '../binary-cache/cache-info.ts';
import { mediaType } from '../binary-cache/media-type.ts';
import type { PutOptions, StreamOptions, WritableTransport } from '../cache-transport.ts';
import { HttpTransport } from '../http/transport.ts';
import { Spool } from '../spool.ts';
import type { QueryOptions, Sink } from '../store.ts';
import { withHash } from './body.ts';
import { S3Client, type S3Settings } from './client.ts';
import { findS3Credentials } from './credentials.ts';
import type { S3Location } from './location.ts';
import { uploadInParts } from './multipart.ts';
import type { S3WriteOptions } from './params.ts';
import { openS3Signer } from './sign.ts';

export class S3Transport implements WritableTransport {
  readonly uri: string;
  readonly mayBeNew = false;
  readonly servesRanges = true;
  readonly #reader: HttpTransport;
  readonly #client: S3Client;
  readonly #options: S3WriteOptions;

  /** @param uri - for messages. */
  constructor(uri: string, location: S3Location, options: S3WriteOptions, settings: S3Settings) {
    this.uri = uri;
    this.#options = options;
    const sign = openS3Signer({
      region: location.region,
      origin: location.url.origin,
      credentials: findS3Credentials(location),
    });
    this.#reader = new HttpTransport(location.url.href, settings, { sign });
    this.#client = new S3Client(location, settings, sign);
  }

  async getFile(name: string, maxSize: number, options: QueryOptions = {}): Promise<Uint8Array | undefined> {
    const file = await this.#explained(name, options, () => this.#reader.getFile(name, maxSize, options));
    if (file === undefined && name === CACHE_INFO) await this.#explainMissing(name, options);
    return file;
  }

  async streamFile(name: string, sink: Sink, options: StreamOptions = {}): Promise<void> {
    await this.#explained(name, options, () => this.#reader.streamFile(name, sink, options));
  }

  async putFile(pour: (sink: Sink) => Promise<string>, options: PutOptions = {}): Promise<void> {
    const { unlessExists = false, ...query } = options;
    using file = new Spool();
    const hash = createHash('sha256');
    const name = await pour((chunk) => {
      hash.update(chunk);
      file.push(chunk);
    });
    if (unlessExists && (await this.#client.exists(name, query))) return;
    const { multipartThreshold, multipartChunkSize: chunkSize, storageClass } = this.#options;
    const headers = {
      'content-type': mediaType(name),
      ...(storageClass !== undefined && { 'x-amz-storage-class': storageClass }),
    };
    if (file.size > multipartThreshold) {
      await uploadInParts(this.#client, file, { ...query, name, chunkSize, headers });
      return;
    }
    const body = withHash(file, hash.digest('hex'));
    await this.#client.send({ ...query, method: 'PUT', name, headers, body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#reader[Symbol.asyncDispose](), this.#client[Symbol.asyncDispose]()]);
  }

  /** Where S3 refuses, asks once more, for what it says of the reason. */
  async #explained<T>(name: string, options: QueryOptions, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      const refused = error instanceof TransferError && !error.transient;
      if (refused && this.#client.holds(name)) await this.#ask(name, options);
      throw error;
    }
  }

  /**
   * A bucket without a cache and credentials that do not open it look the same to those who only read files: the words
   * of S3 tell them apart.
   */
  async #explainMissing(name: string, options: QueryOptions): Promise<void> {
    await this.#ask(name, options).catch((error) => {
      if (isMissingKey(error)) return;
      throw error;
    });
  }

  async #ask(name: string, options: QueryOptions): Promise<void> {
    await this.#client.send({ ...options, method: 'GET', name, headers: { range: 'bytes=0-0' } });
  }
}

/** A bucket that is missing has the same status, but a hint. */
function isMissingKey(error: unknown): boolean {
  return error instanceof TransferError && error.status === 404 && error.hint === undefined;
}

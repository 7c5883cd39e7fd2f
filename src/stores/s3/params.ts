/**
 * The parameters in the URI of an S3 cache, beyond those that every binary cache has.
 *
 * Source: Nix 2.35 manual, "S3 Binary Cache Store"; libstore/s3-binary-cache-store.cc.
 */
import { UsageError } from '../../errors.ts';
import { quote } from '../../formats/quote.ts';
import { booleanParam, type Params } from '../store-params.ts';

/** How files are written. */
export interface S3WriteOptions {
  /** In bytes: files beyond it are uploaded in parts. */
  readonly multipartThreshold: number;
  /** Of a part, in bytes. */
  readonly multipartChunkSize: number;
  /** Undefined for the default of the bucket. */
  readonly storageClass: string | undefined;
}

/** What S3 takes in one request, and as one part; the last part of a file may be smaller. */
export const MAX_S3_BODY_SIZE: number = 5 * 2 ** 30;
const MIN_PART_SIZE = 5 * 2 ** 20;
const DEFAULT_THRESHOLD = 100 * 2 ** 20;

/** The names that {@link parseS3WriteParams} and `locateS3` know. */
export const S3_PARAMS = [
  'addressing-style',
  'endpoint',
  'multipart-chunk-size',
  'multipart-threshold',
  'multipart-upload',
  'profile',
  'region',
  'scheme',
  'storage-class',
] as const;

/** @throws {UsageError} on a value that makes no sense. */
export function parseS3WriteParams(params: Params): S3WriteOptions {
  const multipart = booleanParam(params, 'multipart-upload') ?? false;
  const threshold = sizeParam(params, 'multipart-threshold') ?? DEFAULT_THRESHOLD;
  const storageClass = params['storage-class'];
  if (storageClass !== undefined && !/^[A-Z][A-Z0-9_]{0,63}$/.test(storageClass)) {
    throw new UsageError(
      `store parameter 'storage-class' wants a class such as STANDARD_IA, got ${quote(storageClass)}`,
    );
  }
  const multipartChunkSize = sizeParam(params, 'multipart-chunk-size') ?? MIN_PART_SIZE;
  if (multipartChunkSize < MIN_PART_SIZE || multipartChunkSize > MAX_S3_BODY_SIZE) {
    throw new UsageError(
      `store parameter 'multipart-chunk-size' wants ${MIN_PART_SIZE} to ${MAX_S3_BODY_SIZE}, got ${multipartChunkSize}`,
    );
  }
  // What does not fit into one request goes in parts in any case.
  const multipartThreshold = multipart ? Math.min(threshold, MAX_S3_BODY_SIZE) : MAX_S3_BODY_SIZE;
  return { multipartThreshold, multipartChunkSize, storageClass };
}

/** @throws {UsageError} on anything else. */
export function choiceParam<C extends string>(params: Params, name: string, choices: readonly C[]): C | undefined {
  const text = params[name];
  if (text === undefined) return undefined;
  const choice = choices.find((each) => each === text);
  if (choice === undefined) {
    throw new UsageError(`store parameter '${name}' wants one of ${choices.join(', ')}, got ${quote(text)}`);
  }
  return choice;
}

function sizeParam(params: Params, name: string): number | undefined {
  const text = params[name];
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(`store parameter '${name}' wants a number of bytes, got ${quote(text)}`);
  return Number(text);
}

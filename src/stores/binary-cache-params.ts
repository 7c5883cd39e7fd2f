/**
 * The parameters in the URI of a binary cache, as in `file:///cache?compression=zstd`.
 *
 * Source: Nix 2.35 manual, "Local Binary Cache Store", "HTTP Binary Cache Store".
 */
import type { StoreDir } from '../formats/store-path.ts';
import { checkEncoding } from './compression.ts';
import { booleanParam, integerParam, type Params, storeDirParam } from './store-params.ts';

export interface BinaryCacheOptions {
  readonly storeDir: StoreDir;
  /** Of what is written. */
  readonly compression: string;
  /** As the compression counts them; undefined for its default. */
  readonly compressionLevel: number | undefined;
  /** Files with keys that sign what is written. */
  readonly secretKeyFiles: readonly string[];
  /** In place of what the cache says of itself; also what a new cache will say. */
  readonly priority: number | undefined;
  /** As for `priority`. */
  readonly wantMassQuery: boolean | undefined;
  /** Whether its paths are taken without a signature. */
  readonly trusted: boolean;
}

/** The names that {@link parseBinaryCacheParams} knows. */
export const BINARY_CACHE_PARAMS = [
  'compression',
  'compression-level',
  'priority',
  'secret-key',
  'store',
  'trusted',
  'want-mass-query',
] as const;

/**
 * @param secretKeyFiles - what setting `secret-key-files` has; parameter `secret-key` adds one.
 * @throws {UsageError} on a value that makes no sense.
 * @throws {FormatError} on a store directory that is none.
 */
export function parseBinaryCacheParams(params: Params, secretKeyFiles: readonly string[]): BinaryCacheOptions {
  const compression = params.compression ?? 'xz';
  const level = integerParam(params, 'compression-level');
  const compressionLevel = level === -1 ? undefined : level; // Nix's way to say so
  checkEncoding(compression, compressionLevel);
  return {
    storeDir: storeDirParam(params),
    compression,
    compressionLevel,
    secretKeyFiles: params['secret-key'] === undefined ? secretKeyFiles : [params['secret-key'], ...secretKeyFiles],
    priority: integerParam(params, 'priority'),
    wantMassQuery: booleanParam(params, 'want-mass-query'),
    trusted: booleanParam(params, 'trusted') ?? false,
  };
}

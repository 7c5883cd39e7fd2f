/**
 * `nix-cache-info`, the file at the root of a binary cache that says what cache it is.
 *
 * Source: Nix 2.35 libstore/binary-cache-store.cc.
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';
import { parseStoreDir, type StoreDir } from './store-path.ts';

/** What a cache says of itself. */
export interface NixCacheInfo {
  /** The store directory of every path in the cache. */
  readonly storeDir: StoreDir | undefined;
  /** Whether the cache can stand being asked for many paths that it may not have. */
  readonly wantMassQuery: boolean;
  /** The lower, the earlier it is asked; Nix takes 50 where there is none. */
  readonly priority: number | undefined;
}

/** Bytes in the largest file that is read; real ones have fewer than 100. */
export const MAX_NIX_CACHE_INFO_SIZE: number = 64 * 1024;

/**
 * Reads lines of `Field: value`; unknown fields, and lines that are none, are ignored.
 *
 * @throws {FormatError} on a store directory or a priority that is none.
 */
export function parseNixCacheInfo(text: string): NixCacheInfo {
  if (text.length > MAX_NIX_CACHE_INFO_SIZE) {
    throw new FormatError('nix-cache-info', MAX_NIX_CACHE_INFO_SIZE, `longer than ${MAX_NIX_CACHE_INFO_SIZE} bytes`);
  }
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) values.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const storeDir = values.get('StoreDir');
  const priority = values.get('Priority');
  return {
    storeDir: storeDir === undefined ? undefined : parseStoreDir(storeDir),
    wantMassQuery: values.get('WantMassQuery') === '1',
    priority: priority === undefined ? undefined : parsePriority(priority),
  };
}

/** Writes the fields that say something. */
export function printNixCacheInfo({ storeDir, wantMassQuery, priority }: NixCacheInfo): string {
  return [
    storeDir === undefined ? '' : `StoreDir: ${storeDir}\n`,
    wantMassQuery ? 'WantMassQuery: 1\n' : '',
    priority === undefined ? '' : `Priority: ${priority}\n`,
  ].join('');
}

function parsePriority(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) {
    throw new FormatError('nix-cache-info', 0, `Priority: wanted a whole number, got ${quote(text)}`);
  }
  return Number(text);
}

/**
 * A row of ValidPaths as a path info.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::queryPathInfoInternal.
 */
import { FormatError, StoreError } from '../errors.ts';
import { parseContentAddress } from '../formats/content-address.ts';
import { parseHash } from '../formats/hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';

/** The columns beside the path. */
export interface ValidPathRow {
  readonly id: number;
  readonly hash: string;
  readonly registrationTime: number;
  readonly deriver: string | null;
  readonly narSize: number | null;
  readonly ultimate: number | null;
  readonly sigs: string | null;
  readonly ca: string | null;
}

/**
 * @param references - full paths, in any order.
 * @throws {StoreError} where the row is broken.
 */
export function readValidPath(
  storeDir: StoreDir,
  path: StorePath,
  row: ValidPathRow,
  references: readonly string[],
): PathInfo {
  try {
    return toPathInfo(storeDir, path, row, references);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const shown = printStorePath(storeDir, path);
    throw new StoreError(`the store's database has a broken entry for '${shown}'`, { cause: error });
  }
}

function toPathInfo(storeDir: StoreDir, path: StorePath, row: ValidPathRow, references: readonly string[]): PathInfo {
  return {
    path,
    narHash: parseHash(row.hash),
    narSize: row.narSize ?? 0,
    references: references.map((text) => parseStorePath(storeDir, text)).sort(),
    deriver: row.deriver === null ? undefined : parseStorePath(storeDir, row.deriver),
    signatures: row.sigs?.split(' ').filter((signature) => signature !== '') ?? [],
    contentAddress: row.ca === null || row.ca === '' ? undefined : parseContentAddress(row.ca),
    registrationTime: row.registrationTime,
    ultimate: row.ultimate === 1,
  };
}

/** Store paths on the wire: in full, the empty string where there is none. Source: Nix 2.35 libstore/common-protocol.cc. */
import { parseStorePath, printStorePath, type StoreDir, type StorePath } from '../store-path.ts';
import { type Reading, readList, readString } from './read.ts';
import type { WireWriter } from './write.ts';

/** In bytes: a store directory as long as a file name can be, and a name. */
const MAX_PATH_LENGTH = 4096 + 256;

/** @throws {FormatError} on what is no path of `storeDir`. */
export function* readStorePath(storeDir: StoreDir): Reading<StorePath> {
  return parseStorePath(storeDir, yield* readString(MAX_PATH_LENGTH));
}

/** The same, where the empty string stands for none. */
export function* readOptionalStorePath(storeDir: StoreDir): Reading<StorePath | undefined> {
  const path = yield* readString(MAX_PATH_LENGTH);
  return path === '' ? undefined : parseStorePath(storeDir, path);
}

/** A set of paths, sorted. */
export function* readStorePaths(storeDir: StoreDir): Reading<StorePath[]> {
  const paths = yield* readList(() => readStorePath(storeDir));
  return [...new Set(paths)].sort();
}

export function writeStorePath(to: WireWriter, storeDir: StoreDir, path: StorePath | undefined): void {
  to.string(path === undefined ? '' : printStorePath(storeDir, path));
}

export function writeStorePaths(to: WireWriter, storeDir: StoreDir, paths: readonly StorePath[]): void {
  to.list(paths, (path) => writeStorePath(to, storeDir, path));
}

/**
 * Path infos of the serve protocol.
 *
 * Source: Nix 2.35 libstore/serve-protocol.cc; legacy-ssh-store.cc, addToStore.
 */
import { parseContentAddress, printContentAddress } from '../content-address.ts';
import { parseDigest, printDigest, printHash } from '../hash.ts';
import type { PathInfo } from '../path-info.ts';
import type { StoreDir, StorePath } from '../store-path.ts';
import { type Reading, readInteger, readList, readString } from '../wire/read.ts';
import { readOptionalStorePath, readStorePaths, writeStorePath, writeStorePaths } from '../wire/store-paths.ts';
import type { WireWriter } from '../wire/write.ts';

const MAX_SIGNATURES = 65_536;

/** The infos of those paths that are valid. @throws {FormatError} on what is no info. */
export function* readServePathInfos(storeDir: StoreDir): Reading<PathInfo[]> {
  const infos: PathInfo[] = [];
  for (;;) {
    const path = yield* readOptionalStorePath(storeDir);
    if (path === undefined) return infos;
    infos.push(yield* readServePathInfo(storeDir, path));
  }
}

/** What is known of `path`. */
export function* readServePathInfo(storeDir: StoreDir, path: StorePath): Reading<PathInfo> {
  const deriver = yield* readOptionalStorePath(storeDir);
  const references = yield* readStorePaths(storeDir);
  yield* readInteger(); // what a download would take; it is that of the NAR
  const narSize = yield* readInteger();
  const narHash = parseDigest('sha256', yield* readString());
  const address = yield* readString();
  const contentAddress = address === '' ? undefined : parseContentAddress(address);
  const signatures = yield* readList(() => readString(), MAX_SIGNATURES);
  return { path, narHash, narSize, references, deriver, signatures, contentAddress };
}

/** What {@link readServePathInfo} reads. */
export function writeServePathInfo(to: WireWriter, storeDir: StoreDir, info: PathInfo): void {
  writeStorePath(to, storeDir, info.deriver);
  writeStorePaths(to, storeDir, info.references);
  to.integer(info.narSize).integer(info.narSize).string(printHash(info.narHash, 'nix32'));
  to.string(printAddress(info)).strings(info.signatures);
}

/** What command `addToStoreNar` wants to know before the NAR. */
export function writeAddedPathInfo(to: WireWriter, storeDir: StoreDir, info: PathInfo): void {
  writeStorePath(to, storeDir, info.path);
  writeStorePath(to, storeDir, info.deriver);
  to.string(printDigest(info.narHash, 'base16'));
  writeStorePaths(to, storeDir, info.references);
  to.integer(info.registrationTime ?? 0)
    .integer(info.narSize)
    .boolean(info.ultimate ?? false);
  to.strings(info.signatures).string(printAddress(info));
}

function printAddress({ contentAddress }: PathInfo): string {
  return contentAddress === undefined ? '' : printContentAddress(contentAddress);
}

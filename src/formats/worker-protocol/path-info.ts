/**
 * Path infos of the worker protocol.
 *
 * Source: Nix 2.35 libstore/worker-protocol.cc, ValidPathInfo and UnkeyedValidPathInfo.
 */
import { parseContentAddress, printContentAddress } from '../content-address.ts';
import { parseDigest, printDigest } from '../hash.ts';
import type { PathInfo } from '../path-info.ts';
import type { StoreDir, StorePath } from '../store-path.ts';
import { type Reading, readBoolean, readInteger, readList, readString } from '../wire/read.ts';
import {
  readOptionalStorePath,
  readStorePath,
  readStorePaths,
  writeStorePath,
  writeStorePaths,
} from '../wire/store-paths.ts';
import type { WireWriter } from '../wire/write.ts';

const MAX_SIGNATURES = 65_536;

/** An info with its path in front. @throws {FormatError} on what is none. */
export function* readPathInfo(storeDir: StoreDir): Reading<PathInfo> {
  const path = yield* readStorePath(storeDir);
  return yield* readUnkeyedPathInfo(storeDir, path);
}

/** What is known of `path`. */
export function* readUnkeyedPathInfo(storeDir: StoreDir, path: StorePath): Reading<PathInfo> {
  const deriver = yield* readOptionalStorePath(storeDir);
  const narHash = parseDigest('sha256', yield* readString());
  const references = yield* readStorePaths(storeDir);
  const registrationTime = yield* readInteger();
  const narSize = yield* readInteger();
  const ultimate = yield* readBoolean();
  const signatures = yield* readList(() => readString(), MAX_SIGNATURES);
  const address = yield* readString();
  const contentAddress = address === '' ? undefined : parseContentAddress(address);
  return { path, narHash, narSize, references, deriver, signatures, contentAddress, registrationTime, ultimate };
}

/** What {@link readPathInfo} reads. */
export function writePathInfo(to: WireWriter, storeDir: StoreDir, info: PathInfo): void {
  writeStorePath(to, storeDir, info.path);
  writeUnkeyedPathInfo(to, storeDir, info);
}

/** What {@link readUnkeyedPathInfo} reads. */
export function writeUnkeyedPathInfo(to: WireWriter, storeDir: StoreDir, info: PathInfo): void {
  writeStorePath(to, storeDir, info.deriver);
  to.string(printDigest(info.narHash, 'base16'));
  writeStorePaths(to, storeDir, info.references);
  to.integer(info.registrationTime ?? 0).integer(info.narSize);
  to.boolean(info.ultimate ?? false).strings(info.signatures);
  to.string(info.contentAddress === undefined ? '' : printContentAddress(info.contentAddress));
}

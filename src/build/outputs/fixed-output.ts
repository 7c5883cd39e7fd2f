/**
 * Fixed outputs: whether they are what their derivation says they are, and what is done with those that are not.
 *
 * Source: Nix 2.35 libstore/build/derivation-check.cc, checkCAFixedOutput; libstore/unix/build/derivation-builder.cc,
 * registerOutputs.
 */
import { BuildError } from '../../errors.ts';
import { type ContentAddress, contentAddressedPath } from '../../formats/content-address.ts';
import { hashesEqual, printHash } from '../../formats/hash.ts';
import { pathName, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { rejected } from './output-place.ts';
import type { TakenOutput } from './take-output.ts';

/** @returns why it cannot be taken: the hash is another one, or it refers to store paths; undefined where all is well. */
export function problemOfFixedOutput(
  { contentHash, references, place }: TakenOutput,
  fixed: ContentAddress,
  drvPath: string,
  storeDir: StoreDir,
): BuildError | undefined {
  if (!hashesEqual(contentHash!, fixed.hash)) {
    const [wanted, got] = [fixed.hash, contentHash!].map((hash) => printHash(hash, 'sri'));
    const message = `hash mismatch in fixed-output derivation '${drvPath}':\n  specified: ${wanted}\n     got:    ${got}`;
    return new BuildError(message, { failure: { status: 'hashMismatch' } });
  }
  const [first] = references;
  if (first === undefined) return undefined;
  return rejected(
    `fixed-output derivations must not refer to store paths: '${place.fullPath}' of '${drvPath}' refers to ${references.length}, such as '${printStorePath(storeDir, first)}'`,
  );
}

/** Where contents belong that are other ones than the derivation says. */
export interface ContentsPlace {
  readonly path: StorePath;
  readonly contentAddress: ContentAddress;
}

/**
 * The path of the same output, had the derivation named the hash that its contents have.
 *
 * @returns undefined where it refers to store paths: with no hash would it be taken.
 */
export function placeOfContents(
  { contentHash, references, place }: TakenOutput,
  { method }: ContentAddress,
  storeDir: StoreDir,
): ContentsPlace | undefined {
  if (references.length > 0) return undefined;
  const contentAddress = { method, hash: contentHash! };
  return { path: contentAddressedPath(storeDir, pathName(place.path), contentAddress, []), contentAddress };
}

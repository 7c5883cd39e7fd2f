/**
 * Fixed outputs: whether they are what their derivation says they are.
 *
 * Source: Nix 2.35 libstore/build/derivation-check.cc, checkCAFixedOutput.
 */
import { BuildError } from '../../errors.ts';
import type { ContentAddress } from '../../formats/content-address.ts';
import { hashesEqual, printHash } from '../../formats/hash.ts';
import { printStorePath, type StoreDir } from '../../formats/store-path.ts';
import { rejected } from './output-place.ts';
import type { TakenOutput } from './take-output.ts';

/** @throws {BuildError} where the hash is another one, or it refers to store paths. */
export function checkFixedOutput(
  { contentHash, references, place }: TakenOutput,
  fixed: ContentAddress,
  drvPath: string,
  storeDir: StoreDir,
): void {
  if (!hashesEqual(contentHash!, fixed.hash)) {
    const [wanted, got] = [fixed.hash, contentHash!].map((hash) => printHash(hash, 'sri'));
    const message = `hash mismatch in fixed-output derivation '${drvPath}':\n  specified: ${wanted}\n     got:    ${got}`;
    throw new BuildError(message, { failure: { status: 'hashMismatch' } });
  }
  const [first] = references;
  if (first === undefined) return;
  throw rejected(
    `fixed-output derivations must not refer to store paths: '${place.fullPath}' of '${drvPath}' refers to ${references.length}, such as '${printStorePath(storeDir, first)}'`,
  );
}

/**
 * What can be asked for as old protocols spell it, `DRV!out,dev`: a derivation stands for all its outputs, so it cannot
 * be asked for itself.
 *
 * Source: Nix 2.35 libstore/path-with-outputs.cc.
 */
import { FormatError } from '../errors.ts';
import { isDerivationPath } from './derivation-hash.ts';
import { type DerivedPath, parseDerivedPath, printLegacyDerivedPath } from './derived-path.ts';
import { quote } from './quote.ts';
import { printStorePath, type StoreDir } from './store-path.ts';

/** @throws {FormatError} where a derivation itself is asked for. */
export function printPathWithOutputs(storeDir: StoreDir, derived: DerivedPath): string {
  if (derived.kind === 'opaque' && isDerivationPath(derived.path)) {
    const path = quote(printStorePath(storeDir, derived.path));
    throw new FormatError('derived path', 0, `the other side is too old to be asked for derivation ${path} itself`);
  }
  return printLegacyDerivedPath(storeDir, derived).replace(/!\*$/, '');
}

/** @throws {FormatError} as {@link parseDerivedPath} does. */
export function parsePathWithOutputs(storeDir: StoreDir, text: string): DerivedPath {
  const derived = parseDerivedPath(storeDir, text);
  if (derived.kind === 'built' || !isDerivationPath(derived.path)) return derived;
  return { kind: 'built', path: derived.path, outputs: 'all' };
}

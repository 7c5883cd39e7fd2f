/**
 * What can be asked for: a path as it is, or outputs of a derivation, spelled `DRV!out,dev` and `DRV!*` for all.
 *
 * Source: Nix 2.35 libstore/derived-path.cc, outputs-spec.cc, path-with-outputs.cc.
 */
import { FormatError } from '../errors.ts';
import { quote } from './quote.ts';
import {
  checkPathName,
  parseStorePath,
  pathName,
  printStorePath,
  type StoreDir,
  type StorePath,
} from './store-path.ts';

export type DerivedPath =
  | { readonly path: StorePath }
  /** Names of outputs, or all. */
  | { readonly drvPath: StorePath; readonly outputs: 'all' | readonly string[] };

/** The text of today. */
export function printDerivedPath(storeDir: StoreDir, derived: DerivedPath): string {
  if ('path' in derived) return printStorePath(storeDir, derived.path);
  const names = derived.outputs === 'all' ? '*' : derived.outputs.join(',');
  return `${printStorePath(storeDir, derived.drvPath)}!${names}`;
}

/**
 * The text of before: a derivation stands for all its outputs, so it cannot be asked for itself.
 *
 * @throws {FormatError} on one that is asked for.
 */
export function printPathWithOutputs(storeDir: StoreDir, derived: DerivedPath): string {
  if ('path' in derived && pathName(derived.path).endsWith('.drv')) {
    const path = printStorePath(storeDir, derived.path);
    throw new FormatError(
      'derived path',
      0,
      `the other side is too old to be asked for derivation ${quote(path)} itself`,
    );
  }
  return printDerivedPath(storeDir, derived).replace(/!\*$/, '');
}

/**
 * Reads what {@link printDerivedPath} spells.
 *
 * @throws {FormatError} on a path elsewhere, and on names that no output has.
 */
export function parseDerivedPath(storeDir: StoreDir, text: string): DerivedPath {
  const mark = text.lastIndexOf('!');
  if (mark < 0) return { path: parseStorePath(storeDir, text) };
  const drvPath = parseStorePath(storeDir, text.slice(0, mark));
  const outputs = text.slice(mark + 1);
  if (outputs === '*') return { drvPath, outputs: 'all' };
  const names = outputs.split(',');
  for (const name of names) checkPathName(name);
  return { drvPath, outputs: names };
}

/**
 * Reads what {@link printPathWithOutputs} spells.
 *
 * @throws {FormatError} as {@link parseDerivedPath} does.
 */
export function parsePathWithOutputs(storeDir: StoreDir, text: string): DerivedPath {
  const derived = parseDerivedPath(storeDir, text);
  if (!('path' in derived) || !pathName(derived.path).endsWith('.drv')) return derived;
  return { drvPath: derived.path, outputs: 'all' };
}

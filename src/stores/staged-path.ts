/** One store path between staging and its place in the store directory. */
import { lstatSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import { isContentAddressed, type PathInfo } from '../formats/path-info.ts';
import {
  parseBaseName,
  parseStorePath,
  pathName,
  printStorePath,
  type StoreDir,
  type StorePath,
} from '../formats/store-path.ts';
import type { OutputRow } from './database.ts';
import { readDerivationOutputs } from './derivation-file.ts';
import { renameObject } from './rename-object.ts';

/** A store path that is complete but not yet valid. */
export interface StagedPath {
  readonly info: PathInfo;
  /** Where it lies, as it will be: a file name in a staging directory of the same store. */
  readonly location: string;
  /** Whether the path's lock is held by who registers it, and stays so until the outcome is known. */
  readonly isLocked?: boolean | undefined;
  /**
   * Paths, its own among them, that become valid at once or not at all, such as the outputs of one derivation. All of
   * them are in the same batch, or valid already.
   */
  readonly together?: readonly StorePath[] | undefined;
}

/** A staged path that has been moved to where it belongs, but is not valid yet. */
export interface MovedPath {
  readonly staged: StagedPath;
  readonly realPath: string;
  /** Where that lies now which lay there before; undefined where nothing did. */
  readonly leftover: string | undefined;
  /** Of a derivation. */
  readonly outputs: readonly OutputRow[];
}

/**
 * Whoever vouches for a path info: its names become file names here, and stock Nix stumbles over what it cannot parse.
 *
 * @throws {FormatError} on a name, its own or that of a reference, that no store path has.
 * @throws {StoreError} on a NAR hash that is not sha256, or a content address that is not the path's: such a path would
 *   count as trusted without a signature from here on.
 */
export function checkStaged({ info }: StagedPath, storeDir: StoreDir): void {
  const path = printStorePath(storeDir, parseBaseName(info.path));
  for (const reference of info.references) parseBaseName(reference);
  if (info.narHash.algorithm !== 'sha256') {
    throw new StoreError(`the NAR hash of '${path}' is ${info.narHash.algorithm}, wanted sha256`);
  }
  if (info.contentAddress !== undefined && !isContentAddressed(storeDir, info)) {
    throw new StoreError(`path '${path}' is not the one of its content address`);
  }
}

/**
 * Puts a path in its place; what lies there goes to the staging directory. The caller holds the path's lock and knows
 * that it is not valid, so that nobody else touches the place.
 *
 * @throws {FormatError} on a derivation that cannot be read.
 */
export function moveIn(staged: StagedPath, storeDir: StoreDir, realPath: string): MovedPath {
  const { info, location } = staged;
  const outputs = pathName(info.path).endsWith('.drv') ? readOutputs(location, storeDir) : [];
  let leftover: string | undefined;
  if (lstatSync(realPath, { throwIfNoEntry: false }) !== undefined) {
    leftover = `${location}.leftover`;
    renameObject(realPath, leftover);
  }
  renameObject(location, realPath);
  return { staged, realPath, leftover, outputs };
}

/** Takes a path that did not become valid back to the staging directory. Where that fails it stays, still not valid. */
export function moveBack({ staged, realPath }: MovedPath): void {
  try {
    renameObject(realPath, staged.location);
  } catch {}
}

function readOutputs(file: string, storeDir: StoreDir): readonly OutputRow[] {
  return readDerivationOutputs(file).flatMap(({ name, path }) =>
    path === undefined ? [] : [{ name, path: parseStorePath(storeDir, path) }],
  );
}

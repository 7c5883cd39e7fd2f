/**
 * Where a builder makes its outputs. In a sandbox that is the path of the output itself, and outside of one too, where
 * nothing lies in the way. Where a valid output has to stay as it is, the builder is told another path of the same
 * length, and what it makes is rewritten afterwards.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, makeFallbackPath.
 */
import type { Hash } from '../formats/hash.ts';
import {
  hashPart,
  makeStorePath,
  pathName,
  printStorePath,
  type StoreDir,
  type StorePath,
} from '../formats/store-path.ts';
import { outputPlaceholder, type Rewrites } from './placeholders.ts';

export interface ScratchOutputs {
  /** By the name of the output: the path that the builder is told. */
  readonly paths: ReadonlyMap<string, StorePath>;
  /** What is replaced in all that the builder gets. */
  readonly inputRewrites: Rewrites;
  /** What is replaced in all that it makes: hash parts of other paths by those of the outputs. */
  readonly outputRewrites: Rewrites;
}

export interface ScratchInput {
  readonly storeDir: StoreDir;
  readonly drvPath: StorePath;
  /** By name. */
  readonly outputs: ReadonlyMap<string, StorePath>;
  /** Names of those that must be made at another path. */
  readonly redirected: ReadonlySet<string>;
}

/** A hash that no contents have. */
const NO_HASH: Hash = { algorithm: 'sha256', digest: new Uint8Array(32) };

export function makeScratchOutputs({ storeDir, drvPath, outputs, redirected }: ScratchInput): ScratchOutputs {
  const paths = new Map<string, StorePath>();
  const inputRewrites = new Map<string, string>();
  const outputRewrites = new Map<string, string>();
  for (const [name, path] of outputs) {
    const scratch = redirected.has(name)
      ? makeStorePath(storeDir, `rewrite:${drvPath}:${path}`, NO_HASH, pathName(path))
      : path;
    paths.set(name, scratch);
    inputRewrites.set(outputPlaceholder(name), printStorePath(storeDir, scratch));
    if (scratch === path) continue;
    inputRewrites.set(hashPart(path), hashPart(scratch));
    outputRewrites.set(hashPart(scratch), hashPart(path));
  }
  return { paths, inputRewrites, outputRewrites };
}

/**
 * What builds need of the worker protocol: what is asked for, and how it ended.
 *
 * Source: Nix 2.35 libstore/worker-protocol.cc.
 */
import type { BuildResult } from '../build-result.ts';
import { type DerivedPath, parseDerivedPath, printLegacyDerivedPath } from '../derived-path.ts';
import { parsePathWithOutputs, printPathWithOutputs } from '../path-with-outputs.ts';
import type { StoreDir } from '../store-path.ts';
import { type BuildResultShape, readBuildResult, writeBuildResult } from '../wire/build-result.ts';
import { type Reading, readString } from '../wire/read.ts';
import type { WireWriter } from '../wire/write.ts';
import { REALISATION_WITH_PATH, type WorkerVersion } from './version.ts';

/** What a build is for; the place is the number on the wire. */
export const BUILD_MODES = ['normal', 'repair', 'check'] as const;
/** One of {@link BUILD_MODES}. */
export type BuildMode = (typeof BUILD_MODES)[number];

/** From then on a derivation can be told from its outputs. */
const HAS_DERIVED_PATHS = 30;

export function* readWorkerDerivedPath(storeDir: StoreDir, { minor }: WorkerVersion): Reading<DerivedPath> {
  const text = yield* readString();
  return minor >= HAS_DERIVED_PATHS ? parseDerivedPath(storeDir, text) : parsePathWithOutputs(storeDir, text);
}

/** @throws {FormatError} where the version has no words for it. */
export function writeWorkerDerivedPath(
  to: WireWriter,
  storeDir: StoreDir,
  derived: DerivedPath,
  { minor }: WorkerVersion,
): void {
  const print = minor >= HAS_DERIVED_PATHS ? printLegacyDerivedPath : printPathWithOutputs;
  to.string(print(storeDir, derived));
}

export function readWorkerBuildResult(storeDir: StoreDir, version: WorkerVersion): Reading<BuildResult> {
  return readBuildResult(storeDir, shapeOf(version));
}

export function writeWorkerBuildResult(
  to: WireWriter,
  storeDir: StoreDir,
  result: BuildResult,
  version: WorkerVersion,
): void {
  writeBuildResult(to, storeDir, result, shapeOf(version));
}

function shapeOf({ minor, features }: WorkerVersion): BuildResultShape {
  const json = minor >= 28 ? 'json' : 'none';
  return { times: minor >= 29, cpu: minor >= 37, outputs: features.has(REALISATION_WITH_PATH) ? 'paths' : json };
}

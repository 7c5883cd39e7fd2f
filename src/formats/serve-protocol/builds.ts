/**
 * What builds need of the serve protocol.
 *
 * Source: Nix 2.35 libstore/serve-protocol.cc.
 */
import type { BuildResult } from '../build-result.ts';
import type { StoreDir } from '../store-path.ts';
import { type BuildResultShape, readBuildResult, writeBuildResult } from '../wire/build-result.ts';
import type { Reading } from '../wire/read.ts';
import type { WireWriter } from '../wire/write.ts';

/** How to build. 0 means no limit. */
export interface ServeBuildOptions {
  /** In seconds. */
  readonly maxSilentTime: number;
  readonly timeout: number;
  /** In bytes. */
  readonly maxLogSize: number;
  readonly keepFailed: boolean;
}

export function writeServeBuildOptions(to: WireWriter, options: ServeBuildOptions, minor: number): void {
  to.integer(options.maxSilentTime).integer(options.timeout);
  if (minor >= 2) to.integer(options.maxLogSize);
  if (minor >= 3) to.integer(0).integer(0); // how often to repeat it, and whether it must come out the same: not any more
  if (minor >= 7) to.boolean(options.keepFailed);
}

export function readServeBuildResult(storeDir: StoreDir, minor: number): Reading<BuildResult> {
  return readBuildResult(storeDir, shapeOf(minor));
}

export function writeServeBuildResult(to: WireWriter, storeDir: StoreDir, result: BuildResult, minor: number): void {
  writeBuildResult(to, storeDir, result, shapeOf(minor));
}

function shapeOf(minor: number): BuildResultShape {
  const json = minor >= 6 ? 'json' : 'none';
  return { times: minor >= 3, cpu: false, outputs: minor >= 8 ? 'paths' : json };
}

/** Stores that build: a capability that only some have. */
import type { BuildResult } from '../formats/build-result.ts';
import type { BasicDerivation } from '../formats/derivation.ts';
import type { DerivedPath } from '../formats/derived-path.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { BuildMode } from '../formats/worker-protocol/builds.ts';
import type { QueryOptions, Store } from './store.ts';

export type { BuildMode } from '../formats/worker-protocol/builds.ts';

/** Limits of 0 are none. Whoever builds may have narrower ones of its own. */
export interface BuildOptions extends QueryOptions {
  /** In seconds, without a line of the log. */
  readonly maxSilentTime?: number | undefined;
  /** In seconds, altogether. */
  readonly timeout?: number | undefined;
  /** In bytes, of the log. */
  readonly maxLogSize?: number | undefined;
  /** Whether the other side keeps the build directory of a failed build, where it can be told so. */
  readonly keepFailed?: boolean | undefined;
  /** Hears what the builder prints, line by line, without their ends. */
  readonly onLogLine?: ((line: string) => void) | undefined;
  /** Hears which phase the builder has entered. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

export interface BuildStore extends Store {
  /**
   * Builds one derivation, whose inputs are valid there; it need not be valid itself.
   *
   * @returns how that ended. That it cannot be built is a result, no throw.
   * @throws {UntrustedError} where the store does this only for those it trusts; what is wrong with the connection.
   */
  buildDerivation(
    drvPath: StorePath,
    derivation: BasicDerivation,
    mode: BuildMode,
    options?: BuildOptions,
  ): Promise<BuildResult>;

  /**
   * Makes all of these valid, by substituting or building them there.
   *
   * @throws {BuildError} where that fails.
   */
  buildPaths(paths: readonly DerivedPath[], mode: BuildMode, options?: BuildOptions): Promise<void>;
}

/** Whether a store builds. */
export function isBuildStore(store: Store): store is BuildStore {
  return 'buildDerivation' in store;
}

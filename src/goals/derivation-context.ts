/** What the goals of derivations may ask of the scheduler that runs them, beside what goals of paths may. */
import type { SluiceError } from '../errors.ts';
import type { Derivation } from '../formats/derivation.ts';
import type { DerivationOptions } from '../formats/derivation-options.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StoreDir, StorePath } from '../formats/store-path.ts';
import type { BuildMode, BuildReply, BuildRequest, BuiltOutput } from '../pool/messages.ts';
import type { Settings } from '../settings.ts';
import type { GoalResult, JobOptions, Need, WaitResult } from './goal.ts';
import type { RepairContext } from './repair-goal.ts';

/** A derivation, and what it says about its own build. */
export interface ReadDerivation {
  readonly derivation: Derivation;
  readonly options: DerivationOptions;
}

/** What decides where a derivation can be built. */
export interface BuildTask {
  readonly drvPath: StorePath;
  readonly derivation: Derivation;
  readonly options: DerivationOptions;
  readonly mode: BuildMode;
}

/**
 * Where a build may run now: it has a slot there until it is disposed.
 */
export interface BuildPlace extends Disposable {
  /** The URI of another machine's store; undefined on this one. */
  readonly machine: string | undefined;

  /**
   * Builds there.
   *
   * @returns undefined where somebody else has built the outputs and registered them.
   * @throws {BuildError} where it cannot be built; {@link PlaceLost} where another place may do.
   */
  run(request: BuildRequest, options: JobOptions): Promise<BuildReply | undefined>;
}

/** What builds share: slots, machines, locks, and the store. */
export interface Builds {
  /**
   * Waits until the derivation can be built somewhere; who has the longest chain of goals behind it goes first.
   *
   * @throws {BuildError} where that will never be.
   */
  place(task: BuildTask, signal: AbortSignal): Promise<BuildPlace>;

  /** Locks paths that are to be made, all or none; undefined where somebody else makes one of them. */
  tryLock(paths: readonly StorePath[]): Promise<Disposable | undefined>;

  /** Waits until {@link Builds.tryLock} may do better. */
  lockChange(paths: readonly StorePath[], signal: AbortSignal): Promise<void>;

  /** What is known of `paths`, which are valid, and of all they refer to; references first. */
  queryClosure(paths: readonly StorePath[], signal: AbortSignal): Promise<readonly PathInfo[]>;

  /** A directory for one build, removed with all that is in it. */
  openStaging(drvPath: StorePath): Promise<{ readonly dir: string } & AsyncDisposable>;

  /** Removes what lies at paths that are not valid, and whose locks the caller holds. */
  removeInvalid(paths: readonly StorePath[], signal: AbortSignal): Promise<void>;

  /**
   * Makes outputs valid, all in one transaction, or puts them in the place of what is there, in mode `repair`. The
   * caller holds their locks.
   *
   * @throws {BuildError} where they break the rules of their derivation.
   */
  register(task: BuildTask, outputs: readonly BuiltOutput[], signal: AbortSignal): Promise<void>;

  /**
   * Runs setting `post-build-hook`, if there is one. Where it fails, there are no further builds.
   *
   * @throws why it failed.
   */
  postBuildHook(task: BuildTask, outputs: readonly StorePath[], options: JobOptions): Promise<void>;
}

/** What a goal may ask that makes outputs of derivations. */
export interface DerivationContext extends RepairContext {
  readonly storeDir: StoreDir;
  /** URI of the local store. */
  readonly store: string;
  readonly settings: Settings;
  readonly builds: Builds;

  /** Reads a derivation, which is valid. */
  readDerivation(drvPath: StorePath): Promise<ReadDerivation>;

  /** Outputs of any kind of derivation, as the database has them, by path: whose they are. */
  queryOutputs(drvPaths: readonly StorePath[]): Promise<ReadonlyMap<StorePath, StorePath>>;

  /** As {@link GoalContext.waitFor}. */
  waitForNeeds(needs: readonly Need[]): Promise<WaitResult>;

  /** The same, but waits until all have ended. @returns one result each, in order. */
  settle(needs: readonly Need[]): Promise<readonly GoalResult[]>;
}

/** A place is of no use for a build that it has begun, for no fault of the build's own: another may do. */
export class PlaceLost extends Error {
  override readonly cause: SluiceError;

  constructor(cause: SluiceError) {
    super(cause.message);
    this.cause = cause;
  }
}

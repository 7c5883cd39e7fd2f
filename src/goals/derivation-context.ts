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
export interface BuildTask extends ReadDerivation {
  readonly drvPath: StorePath;
  readonly storeDir: StoreDir;
  readonly mode: BuildMode;
  /** How many goals wait behind it, in the longest chain; changes. */
  readonly priority: () => number;
}

/** Where a build may run now: it has a slot there until it is disposed. */
export interface BuildPlace extends Disposable {
  /** The URI of another machine's store; undefined on this one. */
  readonly machine: string | undefined;

  /**
   * Builds there.
   *
   * @returns no outputs where they are registered already.
   * @throws {BuildError} where it cannot be built; {@link PlaceLost} where another place may do.
   */
  run(request: BuildRequest, options: JobOptions): Promise<BuildReply>;
}

/** What builds share: slots, machines, locks, and the store. */
export interface Builds {
  /**
   * Waits until the derivation can be built somewhere; who has the longest chain of goals behind it goes first.
   *
   * @param declined - others did not want it, or have lost it: it is built here where that can be.
   * @throws {BuildError} where that will never be.
   */
  place(task: BuildTask, declined: boolean, signal: AbortSignal): Promise<BuildPlace>;

  /** Waits until a build has ended somewhere, or for a while. */
  later(signal: AbortSignal): Promise<void>;

  /**
   * Locks paths that are to be made, all or none; undefined where somebody else makes one of them.
   *
   * @param onForeign - hears which one it is, where that is another process.
   */
  tryLock(paths: readonly StorePath[], onForeign: (path: StorePath) => void): Promise<Disposable | undefined>;

  /** Waits until {@link Builds.tryLock} may do better. */
  lockChange(paths: readonly StorePath[], signal: AbortSignal): Promise<void>;

  /** What is known of `paths`, which are valid, and of all they refer to; references first. */
  queryClosure(paths: readonly StorePath[], signal: AbortSignal): Promise<readonly PathInfo[]>;

  /** A directory for one build, removed with all that is in it. */
  openStaging(drvPath: StorePath): Promise<{ readonly dir: string } & Disposable>;

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
   * Makes a fixed output valid at the path that its contents give, which is not that of its derivation. Where somebody
   * else makes that path at the moment, nothing is done: who builds the one waits for nobody who builds the other.
   *
   * @returns whether it is valid there.
   */
  registerOther(output: BuiltOutput, signal: AbortSignal): Promise<boolean>;

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
  /** How many goals wait behind this one, in the longest chain; changes. */
  readonly priority: () => number;

  /** Reads a derivation, which is valid. */
  readDerivation(drvPath: StorePath): Promise<ReadDerivation>;

  /** As {@link GoalContext.waitFor}. */
  waitForNeeds(needs: readonly Need[]): Promise<WaitResult>;

  /** The same, but waits until all have ended. @returns one result each, in order. */
  settle(needs: readonly Need[]): Promise<readonly GoalResult[]>;
}

/** A place is of no use for a build that it has begun, for no fault of the build's own: another may do. */
export class PlaceLost extends Error {
  /** What went wrong; undefined where the place did not want the build. */
  readonly failure: SluiceError | undefined;
  /** When to try again: somewhere else, or anywhere, but not at once. */
  readonly again: 'elsewhere' | 'later';

  constructor(failure: SluiceError | undefined, again: 'elsewhere' | 'later' = 'elsewhere') {
    super(failure?.message ?? again);
    this.failure = failure;
    this.again = again;
  }
}

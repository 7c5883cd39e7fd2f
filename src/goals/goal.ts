/**
 * What a goal is, how it ends, and what it may ask of the scheduler that runs it. The scheduler implements
 * {@link GoalContext}; goals know nothing else of it.
 */
import type { EventEmitter } from 'eventemitter3';
import type { SluiceError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { BuildMode, JobName, Notice, Progress, Reply, Request } from '../pool/messages.ts';
import type { SpaceClaim } from '../stores/free-space.ts';
import type { StagedPath } from '../stores/local-store.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { SchedulerEvents } from './events.ts';

/** How a goal ended; the origin's exit codes, and `cancelled`. */
export type GoalResult =
  | {
      readonly state: 'succeeded';
      readonly how: 'alreadyValid' | 'substituted' | 'repaired' | 'built';
      /** Where outputs of a derivation were asked for: their paths by name, sorted. */
      readonly outputs?: ReadonlyMap<string, StorePath>;
      /** Where they were built now: when. */
      readonly times?: BuildTimes;
    }
  | (Failure & { readonly state: 'failed' })
  /** No substituter has the path. */
  | (Failure & { readonly state: 'noSubstituters' })
  /** A substituter has the path, but a path it refers to could not be had. */
  | (Failure & { readonly state: 'incompleteClosure' })
  /** Nobody needs it any more: its request was aborted, or another path of it failed. */
  | { readonly state: 'cancelled' };

interface Failure {
  readonly failure: SluiceError;
  /** With which Nix would tell of it, and of all that failed before because of which it failed; 1 where it is missing. */
  readonly exitStatus?: number;
}

/** In seconds since the epoch. */
export interface BuildTimes {
  readonly startTime: number;
  readonly stopTime: number;
}

export type FailedResult = Exclude<GoalResult, { state: 'succeeded' | 'cancelled' }>;

/**
 * One thing to be made so. Each kind of goal has a method `run(context)` beside, which works until the goal has ended:
 * it may start other goals and wait for them, but waits for none while it holds a slot. A throw ends the goal as
 * failed, or as cancelled where its signal has aborted.
 */
export interface Goal {
  /** Goals with the same key are one goal. */
  readonly key: string;
  readonly path: StorePath;
}

export type SlotKind = 'build' | 'substitution';

/** What a wait for other goals came to: all succeeded, or the failure that ended the wait. */
export type WaitResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly path: StorePath;
      readonly result: FailedResult;
      /** How many have failed by the end of the wait. */
      readonly failures: number;
    };

/** What a goal may need beside the paths that another goal substitutes. */
export type Need =
  /** A path from a substituter, unless it is valid. With `again`, whatever came of it earlier. */
  | { readonly kind: 'path'; readonly path: StorePath; readonly again?: boolean }
  /** A path with good contents from a substituter, unless they are good. */
  | { readonly kind: 'repair'; readonly path: StorePath }
  /** Outputs of a derivation, in whichever way. */
  | {
      readonly kind: 'outputs';
      readonly drvPath: StorePath;
      readonly outputs: WantedOutputs;
      readonly mode: BuildMode;
    }
  /** A build of a derivation, of which no substituter has the outputs. */
  | { readonly kind: 'build'; readonly drvPath: StorePath; readonly mode: BuildMode };

/** Names of outputs of a derivation, sorted. */
export type WantedOutputs = 'all' | readonly string[];

export interface JobOptions {
  readonly signal: AbortSignal;
  /** How many bytes of NAR there are to do. Where it is missing the job is worth a thread of its own. */
  readonly weight?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (notice: Notice) => void;
}

/** What any goal may ask of the one who runs it. */
export interface GoalContext {
  /** For telling only. */
  readonly events: Pick<EventEmitter<SchedulerEvents>, 'emit'>;
  /** Aborts when nobody needs the goal any more. */
  readonly signal: AbortSignal;

  /**
   * Makes every path a goal that this one needs, and waits for them all. Without `keep-going` the first failure ends
   * the wait at once.
   *
   * @throws where this goal is cancelled meanwhile.
   */
  waitFor(paths: readonly StorePath[]): Promise<WaitResult>;

  /**
   * Waits for a slot; disposing the lease gives it back.
   *
   * @param size - of what is to be done, in bytes of NAR, by which turns are given.
   */
  slot(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable>;

  /** Runs a job in a worker thread. */
  runJob<N extends JobName>(name: N, request: Request<N>, options: JobOptions): Promise<Reply<N>>;
}

/**
 * What came of asking for a path's lock: the path may be made by this process; somebody else is making it; it is valid.
 */
export type ClaimState = 'granted' | 'taken' | 'valid';

/** The right to make a path, which other processes respect, Nix's too; given up when it is disposed. */
export interface PathClaim extends Disposable {
  /** Whether the path's lock is held. Where too many are, a claim is granted without. */
  readonly isLocked: boolean;

  /**
   * Asks for the lock, and then whether the path has become valid.
   *
   * @throws {StoreError} where it cannot be locked.
   */
  tryTake(): Promise<ClaimState>;

  /**
   * Waits for the lock, which may be held for as long as a download or a build takes: with nothing held that others
   * wait for.
   *
   * @throws as {@link PathClaim.tryTake}; the reason of `signal`.
   */
  take(signal: AbortSignal): Promise<Exclude<ClaimState, 'taken'>>;
}

/** What a goal may ask beside, that makes paths valid in the local store. */
export interface LocalGoalContext extends GoalContext {
  /** Aborts the signal with a reason of the goal's own: what it has begun is given up, and then it ends by itself. */
  abort(reason: Error): void;

  /** What to substitute from, in the order in which it is tried, as soon as that is known. */
  substituters(): readonly Substituter[] | Promise<readonly Substituter[]>;

  /** Whether the local store holds the path. */
  isValidPath(path: StorePath): Promise<boolean>;

  /** What keeps other processes from making the path at the same time. */
  claim(path: StorePath): PathClaim;

  /** A file name under which a large download of the path is kept, for another process to go on with it. */
  partialLocation(info: PathInfo): Promise<string | undefined>;

  /**
   * Claims room for the path's contents on the disk of the store.
   *
   * @throws where there is none.
   */
  claimSpace(info: PathInfo): Promise<SpaceClaim>;

  /** A file name in the staging directory that nothing else uses. */
  stagingLocation(path: StorePath): Promise<string>;

  /** Removes what lies at a file name of the staging directory. */
  discard(location: string): Promise<void>;

  /**
   * Registers what was staged as soon as all it refers to is registered, or along with it; done when it is valid.
   *
   * @throws where it cannot be registered, and the reason of `signal`, whose abort withdraws it.
   */
  register(staged: StagedPath, signal: AbortSignal): Promise<void>;
}

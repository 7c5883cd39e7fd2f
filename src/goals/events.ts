/**
 * What a {@link Scheduler} tells while it works: for progress displays, logs and metrics, never for deciding.
 * Every event carries one object. Nothing here is named `error`: a failure is a result.
 */
import type { SluiceError } from '../errors.ts';
import type { Hash } from '../formats/hash.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { Progress, Timings } from '../pool/messages.ts';
import type { Voucher } from '../stores/trust.ts';
import type { GoalResult } from './goal.ts';

export interface SchedulerEvents {
  /** A goal has entered the graph. */
  goalStarted: [{ readonly path: StorePath }];
  /** A goal has ended; where it succeeded, the path is valid. */
  goalFinished: [{ readonly path: StorePath; readonly result: GoalResult }];
  /** A substituter has answered what it knows of a path, so many milliseconds after it was asked. */
  infoQueried: [
    {
      readonly path: StorePath;
      readonly substituter: string;
      readonly milliseconds: number;
      readonly found: boolean;
    },
  ];
  /** A substituter could not say what it knows of a path, and is asked again, as there is hope and nobody else. */
  queryRetried: [{ readonly path: StorePath; readonly substituter: string; readonly error: SluiceError }];
  /** A substituter has the path: what its transfer will bring, in bytes. */
  transferExpected: [TransferView];
  /** A worker has begun the transfer; it holds a substitution slot. */
  transferStarted: [TransferView];
  /** Bytes so far of a running transfer, at most some times a second. */
  transferProgress: [TransferView & Progress];
  /** The path is unpacked and verified, and waits for its references and for registration. */
  transferFinished: [
    TransferView & {
      readonly downloadedBytes: number;
      /** Where the path is copied into a cache behind a network: what went there, after compression. */
      readonly uploadedBytes?: number | undefined;
      readonly timings: Timings;
      /** How many requests had to be made again. */
      readonly retries: number;
      /** Of what was unpacked, verified. */
      readonly narHash: Hash;
      /** What spoke for the path. */
      readonly voucher: Voucher;
    },
  ];
  /**
   * The transfer was given up: it failed, or it was expected or running and is not needed any more (then `error` is
   * undefined). Ends what `transferExpected` and `transferStarted` began.
   */
  transferFailed: [TransferView & { readonly error: SluiceError | undefined }];
  /** A substituter was of no use for a path, and why; `next` names the substituter that is likely to be tried next. */
  substituterFailed: [
    {
      readonly path: StorePath;
      readonly substituter: string;
      readonly error: SluiceError;
      readonly next: string | undefined;
    },
  ];
  /** A goal has waited for a second for the lock of a path, which another process holds. */
  lockWaitStarted: [LockView];
  /** The wait that `lockWaitStarted` told of is over, whatever came of it. */
  lockWaitEnded: [LockView];
  /** A derivation has to be built: it waits for its inputs and for its turn. */
  buildExpected: [BuildView];
  /** A build has begun, on this machine where no other is named. */
  buildStarted: [BuildView & { readonly machine: string | undefined }];
  /** Lines that the builder has printed, without their ends. */
  buildLog: [BuildView & { readonly lines: readonly string[] }];
  /** The builder has entered a phase, such as `unpackPhase`. */
  buildPhase: [BuildView & { readonly phase: string }];
  /** What a user should know of how a build is made, such as that there is no sandbox. */
  buildWarning: [BuildView & { readonly message: string }];
  /** The outputs are valid, so many milliseconds after the build began; in a check, they came out the same. */
  buildFinished: [BuildView & { readonly milliseconds: number }];
  /**
   * The build failed, or was expected or running and is not needed any more (then `error` is undefined). Ends what
   * `buildExpected` and `buildStarted` began.
   */
  buildFailed: [BuildView & { readonly error: SluiceError | undefined }];
  /**
   * A machine that builds for this one is left alone for so many milliseconds, because it could not be reached; for
   * `Infinity` where it is of no use at all.
   */
  machineSetAside: [{ readonly machine: string; readonly error: SluiceError; readonly milliseconds: number }];
  /**
   * A substituter is not asked for so many milliseconds where another can be, because it failed several times in a row;
   * for `Infinity` where it is of no use at all.
   */
  substituterSetAside: [{ readonly substituter: string; readonly error: SluiceError; readonly milliseconds: number }];
  /** A substituter that was set aside has answered, and is asked again. */
  substituterBack: [{ readonly substituter: string }];
  /** Too little was free on the store's disk, and garbage was deleted while transfers ran. */
  garbageCollected: [GarbageCollection];
  /** One transaction made these paths valid. */
  pathsRegistered: [{ readonly paths: readonly StorePath[]; readonly milliseconds: number }];
}

export interface TransferView {
  readonly path: StorePath;
  /** The URI of the store it comes from. */
  readonly substituter: string;
  readonly narSize: number;
  /** Bytes to download, where the source says. */
  readonly downloadSize: number | undefined;
}

export interface LockView {
  /** What the goal is about: a path, or a derivation. */
  readonly subject: StorePath;
  /** Whose lock it is: the same path, or an output. */
  readonly path: StorePath;
}

export interface BuildView {
  readonly drvPath: StorePath;
  /** Of the derivation, without `.drv`. */
  readonly name: string;
}

/** How a collection ended that nobody asked for. */
export type GarbageCollection =
  | { readonly state: 'succeeded'; readonly deleted: number; readonly bytesFreed: number }
  | { readonly state: 'failed'; readonly failure: SluiceError };

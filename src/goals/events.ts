/**
 * What a {@link Scheduler} tells while it works: for progress displays, logs and metrics, never for deciding.
 * Every event carries one object. Nothing here is named `error`: a failure is a result.
 */
import type { SluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { Timings } from '../pool/messages.ts';
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
  /** A substituter has the path: what its transfer will bring, in bytes. */
  transferExpected: [TransferView];
  /** A worker has begun the transfer; it holds a substitution slot. */
  transferStarted: [TransferView];
  /** Bytes so far of a running transfer, at most some times a second. */
  transferProgress: [TransferView & { readonly downloadedBytes: number; readonly narBytes: number }];
  /** The path is unpacked and verified, and waits for its references and for registration. */
  transferFinished: [TransferView & { readonly downloadedBytes: number; readonly timings: Timings }];
  /**
   * The transfer was given up: it failed, or it was expected or running and is not needed any more (then `error` is
   * undefined). Ends what `transferExpected` and `transferStarted` began.
   */
  transferFailed: [TransferView & { readonly error: SluiceError | undefined }];
  /** A substituter was of no use for a path, and why; `next` names the substituter that is tried next. */
  substituterFailed: [
    {
      readonly path: StorePath;
      readonly substituter: string;
      readonly error: SluiceError;
      readonly next: string | undefined;
    },
  ];
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

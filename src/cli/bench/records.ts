/** What a measurement leaves: when each query, transfer and commit began, and how long it took. */
import type { StorePath } from '../../formats/store-path.ts';
import type { Timings } from '../../pool/messages.ts';

/** Milliseconds since the epoch, with fractions: the same clock in every thread. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** Where a stretch of time lies, by {@link clock}. */
export interface Span {
  readonly started: number;
  readonly ended: number;
}

/** A question for what a store knows of a path. */
export interface QueryRecord extends Span {
  readonly found: boolean;
}

/** A path that came, was decompressed and checked, and written where that was asked for. */
export interface TransferRecord {
  readonly path: StorePath;
  readonly narSize: number;
  readonly downloadedBytes: number;
  readonly timings: Timings;
}

/** A transaction that made paths valid. */
export interface CommitRecord extends Span {
  readonly paths: number;
}

/** All queries of a step. */
export interface QueryRun extends Span {
  readonly queries: readonly QueryRecord[];
}

/** All transfers of a step; from when a thread took the first one up, to when all was done. */
export interface TransferRun extends Span {
  readonly transfers: readonly TransferRecord[];
  /** None where nothing was written. */
  readonly commits: readonly CommitRecord[];
  /** How many worker threads there could be. */
  readonly threads: number;
}

/** Everything measured at one parallelism. */
export interface Step {
  /** How many queries, and then transfers, were under way at once, at most. */
  readonly parallelism: number;
  readonly narinfos: QueryRun;
  /** Undefined where there was nothing to transfer. */
  readonly transfers: TransferRun | undefined;
}

/** How long a span lasted, in milliseconds. */
export function durationOf({ started, ended }: Span): number {
  return ended - started;
}

/** From when a worker took a transfer up, to when it had ended. */
export function spanOfTransfer({ timings: { started, wait, unpack } }: TransferRecord): Span {
  return { started, ended: started + wait + unpack };
}

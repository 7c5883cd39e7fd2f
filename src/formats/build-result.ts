/**
 * How the build of one derivation ended, as the protocols tell it.
 *
 * Source: Nix 2.35 libstore/build-result.hh, libstore/common-protocol.cc.
 */
import { BUILD_FAILURES, type BuildFailureStatus } from '../errors.ts';
import type { StorePath } from './store-path.ts';

/** Every status by the name that Nix has for it; its place is its number on the wire. */
export const BUILD_STATUSES = [
  'built',
  'substituted',
  'alreadyValid',
  'permanentFailure',
  'inputRejected',
  'outputRejected',
  'transientFailure',
  'cachedFailure',
  'timedOut',
  'miscFailure',
  'dependencyFailed',
  'logLimitExceeded',
  'notDeterministic',
  'resolvesToAlreadyValid',
  'noSubstituters',
] as const;
/** One of {@link BUILD_STATUSES}. */
export type BuildStatus = (typeof BUILD_STATUSES)[number];

/** Those after which the outputs are valid. */
export const BUILD_SUCCESSES = ['built', 'substituted', 'alreadyValid', 'resolvesToAlreadyValid'] as const;
/** One of {@link BUILD_SUCCESSES}. */
export type BuildSuccess = (typeof BUILD_SUCCESSES)[number];

/** What is known of an output that was made. */
export interface Realisation {
  readonly outPath: StorePath;
  readonly signatures: readonly string[];
}

/** Plain data: it survives structured clone. */
export interface BuildResult {
  readonly status: BuildStatus;
  /** Why it failed; empty where it did not. */
  readonly message: string;
  /** How often it was built. */
  readonly timesBuilt: number;
  /** Whether several builds did not come out the same. */
  readonly isNonDeterministic: boolean;
  /** In seconds since the epoch; 0 where nothing was built or the other side does not say. */
  readonly startTime: number;
  readonly stopTime: number;
  /** In microseconds, where the other side says it. */
  readonly cpuUser?: number | undefined;
  readonly cpuSystem?: number | undefined;
  /** By output name; empty where the other side does not say. */
  readonly builtOutputs: ReadonlyMap<string, Realisation>;
}

/** Whether the outputs are valid after it. */
export function isBuildSuccess(status: BuildStatus): status is BuildSuccess {
  return BUILD_SUCCESSES.some((success) => success === status);
}

/** A failure by the names that this project has: what only old or unbuilding stores say is what comes nearest. */
export function buildFailureOf(status: BuildStatus): BuildFailureStatus {
  if (status === 'cachedFailure') return 'permanentFailure';
  return BUILD_FAILURES.find((failure) => failure === status) ?? 'miscFailure';
}

/** The same the other way: protocols know no mismatch of hashes. */
export function buildStatusOf(failure: BuildFailureStatus): BuildStatus {
  return failure === 'hashMismatch' ? 'outputRejected' : failure;
}

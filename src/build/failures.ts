/**
 * How a build that failed is told: Nix's statuses, and words that name the facts.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc, fixupBuilderFailureErrorMessage; libutil/unix/processes.cc,
 * statusToString; libstore/unix/build/derivation-builder.cc, decideWhetherDiskFull.
 */
import { statfs } from 'node:fs/promises';
import { constants } from 'node:os';
import { BuildError, type BuildFailureStatus } from '../errors.ts';
import type { RunEnd } from './run-builder.ts';
import type { ExitStatus } from './spawn.ts';

/** Less than so many bytes free, and a failure may well come from that. */
const DISK_FULL = 8 * 1024 * 1024;
/** How programs that prepare a sandbox start their complaints, before there is a builder; not that about the builder. */
const SETUP_COMPLAINT = /^(?:bwrap: (?!execvp )|mount: |unshare: |setpriv: )/;

export interface FailureInput {
  /** The derivation, with the store directory. */
  readonly drvPath: string;
  readonly end: RunEnd;
  readonly tail: readonly string[];
  readonly sandboxed: boolean;
  /** A fixed output may come out right the next time. */
  readonly fixed: boolean;
  readonly dirs: readonly string[];
}

/** What went wrong; undefined where the builder was content. */
export async function failureOf(input: FailureInput): Promise<BuildError | undefined> {
  const { drvPath, end, tail, sandboxed, fixed, dirs } = input;
  const failure = (status: BuildFailureStatus, message: string, hint?: string): BuildError =>
    new BuildError(message, { failure: { status, logTail: tail }, transient: status === 'transientFailure', hint });
  if (end.state === 'timedOut') {
    return failure(
      'timedOut',
      `building '${drvPath}' timed out after ${end.seconds} seconds${end.silent ? ' of silence' : ''}`,
    );
  }
  if (end.state === 'logLimitExceeded') {
    return failure('logLimitExceeded', `'${drvPath}' printed more than max-build-log-size allows`);
  }
  const { status } = end;
  if (status.code === 0) return undefined;
  const complaint = tail.at(-1);
  if (sandboxed && complaint !== undefined && SETUP_COMPLAINT.test(complaint)) {
    return failure('inputRejected', `cannot set up the sandbox of '${drvPath}': ${complaint}`);
  }
  const full = await isFull(dirs);
  return failure(
    fixed || full ? 'transientFailure' : 'permanentFailure',
    `builder for '${drvPath}' ${printStatus(status)}`,
    full ? 'the disk is nearly full, which may be why' : undefined,
  );
}

function printStatus({ code, signal }: ExitStatus): string {
  if (code !== undefined) return `failed with exit code ${code}`;
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return `failed due to signal ${signal}${name === undefined ? '' : ` (${name})`}`;
}

async function isFull(dirs: readonly string[]): Promise<boolean> {
  const stats = await Promise.all(dirs.map((dir) => statfs(dir).catch(() => undefined)));
  return stats.some((each) => each !== undefined && each.bavail * each.bsize < DISK_FULL);
}

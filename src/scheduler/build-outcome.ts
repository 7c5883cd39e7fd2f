/** How requests for builds end: statuses and exit codes of Nix. Source: Nix 2.35 libstore/build-result.hh, build-result.cc. */
import { BuildError } from '../errors.ts';
import { type BuildStatus, buildStatusOf } from '../formats/build-result.ts';
import type { DerivedPath } from '../formats/derived-path.ts';
import { failingExitStatus } from '../goals/exit-status.ts';
import type { GoalResult } from '../goals/goal.ts';

/** How one request ended. */
export type BuildOutcome = GoalResult & {
  readonly request: DerivedPath;
  /** By the name that Nix has for it; undefined where it was cancelled. */
  readonly status: BuildStatus | undefined;
};

export function outcomeOf(request: DerivedPath, result: GoalResult): BuildOutcome {
  return { ...result, request, status: statusOf(result) };
}

/** The exit code of Nix where not all requests succeeded, a combination of what failed; 0 where they did. */
export function exitStatusOf(outcomes: readonly GoalResult[]): number {
  const failed = outcomes.filter(({ state }) => state !== 'succeeded');
  return failed.length === 0 ? 0 : failingExitStatus(failed);
}

function statusOf(result: GoalResult): BuildStatus | undefined {
  switch (result.state) {
    case 'succeeded':
      if (result.times !== undefined) return 'built';
      return result.how === 'alreadyValid' ? 'alreadyValid' : 'substituted';
    case 'failed':
      return result.failure instanceof BuildError ? buildStatusOf(result.failure.failure.status) : 'miscFailure';
    case 'noSubstituters':
      return 'noSubstituters';
    case 'incompleteClosure':
      return 'miscFailure';
    case 'cancelled':
      return undefined;
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError, type BuildFailureStatus, StoreError } from '../../src/errors.ts';
import { failingExitStatus } from '../../src/goals/exit-status.ts';
import type { GoalResult } from '../../src/goals/goal.ts';

const failed = (status: BuildFailureStatus, exitStatus?: number): GoalResult => ({
  state: 'failed',
  failure: new BuildError('as asked', { failure: { status } }),
  ...(exitStatus !== undefined && { exitStatus }),
});

/** From Nix 2.35 libstore/build-result.cc, ExitStatusFlags::failingExitStatus. */
for (const [what, results, wanted] of [
  ['a builder that failed', [failed('permanentFailure')], 100],
  ['a derivation that cannot be built here', [failed('inputRejected')], 100],
  ['a timeout', [failed('timedOut')], 101],
  ['another hash', [failed('hashMismatch')], 102],
  ['both', [failed('timedOut'), failed('hashMismatch')], 103],
  ['a check that found a difference', [failed('notDeterministic')], 104],
  ['a check and a builder that failed', [failed('notDeterministic'), failed('permanentFailure')], 108],
  ['a dependency for which it is known', [failed('dependencyFailed', 101)], 101],
  ['an output that was rejected', [failed('outputRejected')], 1],
  ['a failure with nothing special, and one that is', [failed('miscFailure', 1), failed('permanentFailure')], 100],
  ['a failure of a store', [{ state: 'failed', failure: new StoreError('as asked') }], 1],
] as const satisfies readonly (readonly [string, readonly GoalResult[], number])[]) {
  test(`the exit code of ${what} is ${wanted}`, () => assert.equal(failingExitStatus(results), wanted));
}

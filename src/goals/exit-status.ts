/**
 * The exit code with which Nix tells what kinds of failures there were among all goals.
 *
 * Source: Nix 2.35 libstore/build-result.cc, ExitStatusFlags.
 */
import { BuildError, type SluiceError } from '../errors.ts';
import type { GoalResult } from './goal.ts';

const OTHER = 1;
/** Bits of the code: what all special ones have, what failures of builds have, and which failures there were. */
const [SPECIAL, BUILD, TIMED_OUT, HASH_MISMATCH, CHECK_MISMATCH] = [0b110_0000, 0b0100, 0b0001, 0b0010, 0b1000];

/** Of what failed, with what it failed for; 1 where nothing about it is special. */
export function failingExitStatus(results: Iterable<GoalResult>): number {
  let status = 0;
  for (const result of results) {
    if (!('failure' in result)) continue;
    status |= bitsOf(result.failure);
    if (result.exitStatus !== undefined && result.exitStatus !== OTHER) status |= result.exitStatus;
  }
  return status === 0 ? OTHER : status;
}

function bitsOf(failure: SluiceError): number {
  if (!(failure instanceof BuildError)) return 0;
  switch (failure.failure.status) {
    case 'permanentFailure':
    case 'inputRejected':
      return SPECIAL | BUILD;
    case 'hashMismatch':
      return SPECIAL | BUILD | HASH_MISMATCH;
    case 'timedOut':
      return SPECIAL | BUILD | TIMED_OUT;
    case 'notDeterministic':
      return SPECIAL | CHECK_MISMATCH;
    default:
      return 0;
  }
}

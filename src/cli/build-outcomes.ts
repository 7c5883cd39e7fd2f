/** How requests for builds ended, as other parts of the program and other programs read it. */
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { BuildOutcome } from '../scheduler/build-outcome.ts';
import type { RealiseResult } from '../scheduler/scheduler.ts';
import { errorToJson } from './transfers.ts';

/** What has become valid: outputs by their names; where a path was asked for, that one as `out`. */
export function validOutputs(outcome: BuildOutcome): ReadonlyMap<string, StorePath> {
  if (outcome.state !== 'succeeded') return new Map();
  return outcome.outputs ?? new Map([['out', outcome.request.path]]);
}

/** The end of a request as that of the path it is about, which for outputs is that of their derivation. */
export function withPath(outcome: BuildOutcome): RealiseResult {
  return { ...outcome, path: outcome.request.path };
}

/**
 * An object for each request: `drvPath` and `outputs` as Nix has them, or `path` where one was asked for; `state`, and
 * Nix's `status`; `how` it succeeded, and when it was built; or the `error`.
 */
export function buildOutcomesToJson(outcomes: readonly BuildOutcome[], storeDir: StoreDir): object[] {
  return outcomes.map((outcome) => ({ ...subjectOf(outcome, storeDir), ...endOf(outcome, storeDir) }));
}

function subjectOf({ request }: BuildOutcome, storeDir: StoreDir): object {
  const path = printStorePath(storeDir, request.path);
  return request.kind === 'built' ? { drvPath: path } : { path };
}

function endOf(outcome: BuildOutcome, storeDir: StoreDir): object {
  const { state, status } = outcome;
  if (state === 'cancelled') return { state };
  if (state !== 'succeeded') return { state, status, error: errorToJson(outcome.failure) };
  const { how, outputs, times } = outcome;
  const paths = Array.from(outputs ?? [], ([name, path]) => [name, printStorePath(storeDir, path)]);
  return { state, status, how, ...(outputs !== undefined && { outputs: Object.fromEntries(paths) }), ...times };
}

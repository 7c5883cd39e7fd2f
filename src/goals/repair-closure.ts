/**
 * Repairs what the outputs of a derivation refer to: what has contents other than were registered is built again where
 * its derivation is known, and otherwise substituted.
 *
 * Source: Nix 2.35 libstore/build/derivation-goal.cc, DerivationGoal::repairClosure.
 */
import { BuildError, FormatError } from '../errors.ts';
import { isDerivationPath } from '../formats/derivation-hash.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { DerivationContext } from './derivation-context.ts';
import { hasGoodContents, type OutputPaths } from './derivation-outputs.ts';
import type { Need } from './goal.ts';

/** @returns why not all could be repaired; undefined where all is good. */
export async function repairClosure(
  drvPath: StorePath,
  outputs: OutputPaths,
  context: DerivationContext,
): Promise<BuildError | undefined> {
  const { builds, signal } = context;
  const own = new Set(outputs.values());
  const closure = (await builds.queryClosure([...own], signal)).filter(({ path }) => !own.has(path));
  const good = await Promise.all(closure.map(({ path }) => hasGoodContents(path, context)));
  const bad = closure.filter((_, index) => !good[index]).map(({ path }) => path);
  if (bad.length === 0) return undefined;

  const derivers = await queryDerivers(drvPath, context);
  const needs = bad.map((path): Need => {
    const deriver = derivers.get(path);
    // Its own build would wait for this goal.
    if (deriver === undefined || deriver === drvPath) return { kind: 'repair', path };
    return { kind: 'outputs', drvPath: deriver, outputs: 'all', mode: 'repair' };
  });
  const ended = await context.waitForNeeds(needs);
  if (ended.ok) return undefined;
  const shown = printStorePath(context.storeDir, drvPath);
  return new BuildError(`cannot repair all that the outputs of '${shown}' refer to`, {
    cause: ended.result.failure,
    failure: { status: 'miscFailure' },
  });
}

/** The derivations in the closure of one, by their outputs. */
async function queryDerivers(
  drvPath: StorePath,
  context: DerivationContext,
): Promise<ReadonlyMap<StorePath, StorePath>> {
  const derivers = new Map<StorePath, StorePath>();
  for (const { path } of await context.builds.queryClosure([drvPath], context.signal)) {
    if (!isDerivationPath(path)) continue;
    const read = await context.readDerivation(path).catch(unlessUnsupported);
    for (const output of read?.derivation.outputs.values() ?? []) derivers.set(output.path, path);
  }
  return derivers;
}

/** Of a derivation that cannot be built here the outputs cannot be built anew. */
function unlessUnsupported(error: unknown): undefined {
  if (!(error instanceof FormatError)) throw error;
}

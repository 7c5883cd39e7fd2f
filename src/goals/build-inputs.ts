/** What a derivation needs before it can be built: outputs of other derivations, and sources. */
import { BuildError } from '../errors.ts';
import type { Derivation } from '../formats/derivation.ts';
import { isDerivationPath } from '../formats/derivation-hash.ts';
import type { DerivationOptions } from '../formats/derivation-options.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { BuildMode } from '../pool/messages.ts';
import type { DerivationContext } from './derivation-context.ts';
import { pathsOf } from './derivation-outputs.ts';
import type { Need } from './goal.ts';

/**
 * Makes all inputs valid.
 *
 * @returns why that cannot be; undefined where it is done.
 */
export async function waitForInputs(
  task: { readonly drvPath: StorePath; readonly derivation: Derivation; readonly mode: BuildMode },
  context: DerivationContext,
): Promise<BuildError | undefined> {
  const mode = task.mode === 'repair' ? 'repair' : 'normal';
  const needs: Need[] = [];
  for (const [drvPath, outputs] of task.derivation.inputDrvs) needs.push({ kind: 'outputs', drvPath, outputs, mode });
  for (const path of task.derivation.inputSrcs) needs.push({ kind: 'path', path });
  const ended = await context.waitForNeeds(needs);
  if (ended.ok) return undefined;
  const [ours, theirs] = [task.drvPath, ended.path].map((path) => printStorePath(context.storeDir, path));
  const others = ended.failures > 1 ? ` and ${ended.failures - 1} more of its dependencies` : '';
  return new BuildError(`cannot build '${ours}': dependency '${theirs}'${others} failed`, {
    cause: ended.result.failure,
    failure: { status: 'dependencyFailed', dependency: theirs },
  });
}

/** The paths that a builder may use by name: those of the wanted outputs of input derivations, and the sources. */
export async function inputsOf({ inputDrvs, inputSrcs }: Derivation, context: DerivationContext): Promise<StorePath[]> {
  const inputs = new Set(inputSrcs);
  for (const [drvPath, outputs] of inputDrvs) {
    const { derivation } = await context.readDerivation(drvPath);
    for (const path of pathsOf(context.storeDir, drvPath, derivation, outputs).values()) inputs.add(path);
  }
  return [...inputs];
}

/**
 * The closures that a builder wants to be told of, as `exportReferencesGraph` names them. With a derivation come the
 * closures of its outputs.
 *
 * @param inputPaths - the closure of the inputs: of others nothing is told.
 * @throws {BuildError} on a path that is not among them.
 */
export async function exportedGraphs(
  drvPath: StorePath,
  { exportReferencesGraph }: DerivationOptions,
  inputPaths: readonly PathInfo[],
  context: DerivationContext,
): Promise<Record<string, readonly PathInfo[]>> {
  const graphs: Record<string, readonly PathInfo[]> = {};
  if (exportReferencesGraph.size === 0) return graphs;
  const known = new Set(inputPaths.map(({ path }) => path));
  for (const [name, paths] of exportReferencesGraph) {
    const foreign = paths.find((path) => !known.has(path));
    if (foreign !== undefined) {
      const [ours, theirs] = [drvPath, foreign].map((path) => printStorePath(context.storeDir, path));
      const message = `derivation '${ours}' asks for the references of '${theirs}', which is not among its inputs`;
      throw new BuildError(message, { failure: { status: 'inputRejected' } });
    }
    graphs[name] = await closureWithOutputs(paths, context);
  }
  return graphs;
}

async function closureWithOutputs(paths: readonly StorePath[], context: DerivationContext): Promise<PathInfo[]> {
  const { builds, signal } = context;
  const closure = await builds.queryClosure(paths, signal);
  const outputs: StorePath[] = [];
  for (const { path } of closure) {
    if (!isDerivationPath(path)) continue;
    const { derivation } = await context.readDerivation(path);
    for (const output of derivation.outputs.values()) outputs.push(output.path);
  }
  const whole = outputs.length === 0 ? closure : await builds.queryClosure([...paths, ...outputs], signal);
  return whole.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

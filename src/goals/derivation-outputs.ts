/** Which outputs of a derivation are asked for, and which of them are there. */
import { BuildError } from '../errors.ts';
import type { BasicDerivation } from '../formats/derivation.ts';
import { quote } from '../formats/quote.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { BuildMode } from '../pool/messages.ts';
import type { WantedOutputs } from './goal.ts';
import type { RepairContext } from './repair-goal.ts';

/** Paths by the names of the outputs, in the order of the derivation. */
export type OutputPaths = ReadonlyMap<string, StorePath>;

/** @throws {BuildError} on a name that the derivation does not have. */
export function pathsOf(
  storeDir: StoreDir,
  drvPath: StorePath,
  { outputs }: BasicDerivation,
  wanted: WantedOutputs,
): OutputPaths {
  if (wanted === 'all') return new Map(Array.from(outputs, ([name, { path }]) => [name, path]));
  const missing = wanted.find((name) => !outputs.has(name));
  if (missing === undefined) return new Map(wanted.map((name) => [name, outputs.get(name)!.path]));
  const names = [...outputs.keys()].map((name) => `'${name}'`).join(', ');
  const message = `derivation '${printStorePath(storeDir, drvPath)}' has no output ${quote(missing)}`;
  throw new BuildError(message, { failure: { status: 'miscFailure' }, hint: `it has ${names}` });
}

/**
 * Those outputs that are not as they should be: not valid or, in mode `repair`, with other contents than were registered.
 * All are temporary roots from now on.
 */
export async function missingOutputs(
  outputs: OutputPaths,
  mode: BuildMode,
  context: RepairContext,
): Promise<[name: string, path: StorePath][]> {
  const isGood = async (path: StorePath): Promise<boolean> => {
    if (!(await context.isValidPath(path))) return false;
    return mode !== 'repair' || (await hasGoodContents(path, context));
  };
  const all = [...outputs];
  const good = await Promise.all(all.map(([, path]) => isGood(path)));
  return all.filter((_, index) => !good[index]);
}

/** Whether the contents of a valid path are what was registered. */
export async function hasGoodContents(path: StorePath, { repairs, signal }: RepairContext): Promise<boolean> {
  const info = await repairs.queryPathInfo(path, signal);
  return info !== undefined && (await repairs.pathContentsGood(info, signal));
}

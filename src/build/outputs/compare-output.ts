/**
 * Checks whether an output came out as it did before.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, registerOutputs, handleDiffHook.
 */
import { join } from 'node:path';
import { BuildError } from '../../errors.ts';
import { type Hash, hashesEqual } from '../../formats/hash.ts';
import type { Settings } from '../../settings.ts';
import { asStoreError } from '../../stores/fs-errors.ts';
import { removeTree } from '../../stores/remove-tree.ts';
import { renameObject } from '../../stores/rename-object.ts';
import { runDiffHook } from './diff-hook.ts';
import type { TakenOutput } from './take-output.ts';
import { findDifferences } from './tree-differences.ts';
import type { Turn } from './turn.ts';

export interface CompareOptions {
  /** With the store directory. */
  readonly drvPath: string;
  readonly store: { readonly realStoreDir: string };
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly turn: Turn;
  /** Who runs the diff hook; by default who runs this. */
  readonly buildUid: number | undefined;
  readonly buildGid?: number | undefined;
  readonly buildDir?: string | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** Differences that are told; the rest is a number. */
const MOST_TOLD = 5;

/**
 * Compares an output with the registered one, and deletes it, unless setting `keep-failed` or a diff hook wants it.
 *
 * @param narHash - of the registered one; where it is missing there is nothing to compare with.
 * @throws {BuildError} where they are not the same.
 */
export async function compareOutput(
  output: TakenOutput,
  narHash: Hash | undefined,
  options: CompareOptions,
): Promise<void> {
  const { place } = output;
  if (narHash === undefined || hashesEqual(narHash, output.narHash)) return await removeTree(place.location);
  const { settings, store, turn, drvPath } = options;
  const before = join(store.realStoreDir, place.path);
  const differences = await findDifferences(before, place.location, MOST_TOLD, turn);
  const hook = settings.runDiffHook && settings.diffHook !== '' ? settings.diffHook : undefined;
  let kept = '';
  if (settings.keepFailed || hook !== undefined) {
    const checked = `${before}.check`;
    await keep(place.location, checked);
    kept = ` from '${checked}'`;
    if (hook !== undefined) await runDiffHook(hook, [before, checked, drvPath, options.buildDir ?? ''], options);
  } else await removeTree(place.location);
  throw new BuildError(
    `derivation '${drvPath}' may not be deterministic: output '${before}' differs${kept}${describe(differences)}`,
    { failure: { status: 'notDeterministic' } },
  );
}

async function keep(location: string, checked: string): Promise<void> {
  try {
    await removeTree(checked);
    renameObject(location, checked);
  } catch (error) {
    throw asStoreError(`cannot keep '${checked}'`, error);
  }
}

function describe(differences: readonly string[]): string {
  return differences.length === 0 ? '' : `: ${differences.join(', ')}`;
}

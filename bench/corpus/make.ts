/**
 * Making a corpus: its trees are taken into a store and copied into signed caches, by the Nix on PATH, so that nobody
 * measures Sluice with what Sluice has written; where there is no Nix, by Sluice all the same.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { makeCorpus } from '../../test/support/corpus.ts';
import { Nix } from '../../test/support/nix.ts';
import { isOnPath } from '../../test/support/run.ts';
import type { Recipe } from './recipes.ts';
import { writeCaches } from './write-caches.ts';

export interface MakeOptions {
  /** With Nix; by default, where there is one. */
  readonly nix?: boolean;
}

/** Makes `corpora/NAME`, which does not exist yet; it appears when it is complete. */
export async function makeCorpusOf(recipe: Recipe, corpora: string, options: MakeOptions = {}): Promise<void> {
  const { nix = isOnPath('nix') && isOnPath('nix-store') } = options;
  const directory = join(corpora, recipe.name);
  const partial = `${directory}.partial-${process.pid}`;
  const trees = `${partial}-trees`;
  await using cleanup = new AsyncDisposableStack();
  for (const each of [partial, trees]) {
    cleanup.defer(() => removeTree(each));
    await mkdir(each, { recursive: true });
  }
  const objects = await recipe.makeObjects(trees);
  const { top, paths } = nix
    ? await makeCorpus(await Nix.open(join(trees, 'home')), partial, objects, recipe.compressions)
    : await writeCaches(partial, objects, recipe.compressions);
  await writeFile(join(partial, 'top'), `${top}\n`);
  await writeFile(join(partial, 'paths'), paths.map((path) => `${path}\n`).join(''));
  await removeTree(join(partial, 'source')); // the store that Nix copied from
  await rename(partial, directory);
}

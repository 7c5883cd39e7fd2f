/**
 * The references of a path drawn as a tree.
 *
 * Source: Nix 2.35 nix-store/nix-store.cc, printTree.
 */

import { type PathInfos, referencesFirst } from '../../formats/references-first.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';

/** What stands before an entry, and before what hangs on it. */
export const BRANCHES = {
  middle: { entry: '├───', below: '│   ' },
  last: { entry: '└───', below: '    ' },
} as const;

interface Entry {
  readonly path: StorePath;
  readonly pad: string;
  readonly padBelow: string;
}

/**
 * One line a reference. Where a path comes again it is not opened again, in all of the trees; references come in an order
 * in which deep ones are opened first, which keeps the trees flat.
 *
 * @param infos - of all paths in the closures of `roots`.
 */
export function* treeLines(storeDir: StoreDir, roots: readonly StorePath[], infos: PathInfos): Generator<string> {
  const done = new Set<StorePath>();
  /** What is still to be drawn, last first: graphs are deeper than the stack. */
  const pending: Entry[] = roots.map((path) => ({ path, pad: '', padBelow: '' })).reverse();
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { path, pad, padBelow } = entry;
    const isOpened = done.has(path);
    yield `${pad}${printStorePath(storeDir, path)}${isOpened ? ' [...]' : ''}`;
    if (isOpened) continue;
    done.add(path);
    const { references } = infos.get(path)!;
    const members = new Set(references);
    const sorted = referencesFirst(references, infos, (each) => members.has(each));
    const entries = sorted.map((each, index): Entry => {
      const branch = index === sorted.length - 1 ? BRANCHES.last : BRANCHES.middle;
      return { path: each, pad: padBelow + branch.entry, padBelow: padBelow + branch.below };
    });
    pending.push(...entries.reverse());
  }
}

/** Closures: what paths refer to, and what that refers to, for commands that show it. */
import type { PathInfo } from '../formats/path-info.ts';
import { type PathInfos, referencesFirst } from '../formats/references-first.ts';
import type { StorePath } from '../formats/store-path.ts';
import { Slots } from '../scheduler/slots.ts';
import type { InfoOptions, Store } from '../stores/store.ts';

/** Enough to keep a distant cache busy. */
const QUERIES_AT_ONCE = 64;

/** Who looks for a path may well have added it a moment ago: that it was missing before says nothing. */
export const LOOK_AGAIN: InfoOptions = { maxNegativeAge: 0 };

/**
 * What the store knows of `paths`, and of all they refer to where `recursive` says so. What is not valid is left out.
 */
export async function queryClosure(
  store: Store,
  paths: readonly StorePath[],
  { recursive }: { readonly recursive: boolean },
): Promise<PathInfos> {
  const infos = new Map<StorePath, PathInfo>();
  const seen = new Set<StorePath>();
  const slots = new Slots(QUERIES_AT_ONCE);

  async function query(path: StorePath): Promise<PathInfo | undefined> {
    using _slot = await slots.acquire();
    return store.queryPathInfo(path, LOOK_AGAIN);
  }

  async function visit(path: StorePath): Promise<void> {
    if (seen.has(path)) return;
    seen.add(path);
    const info = await query(path);
    if (info === undefined) return;
    infos.set(path, info);
    if (recursive) await Promise.all(info.references.map(visit));
  }

  await Promise.all(paths.map(visit));
  return infos;
}

/** The path and all that it refers to, references first. */
export function closureOf(path: StorePath, infos: PathInfos): PathInfo[] {
  return referencesFirst([path], infos, () => true).map((each) => infos.get(each)!);
}

/** The order in which paths can be made valid: each after all that it refers to. */
import type { PathInfo } from './path-info.ts';
import type { StorePath } from './store-path.ts';

/** What is known of paths. */
export type PathInfos = ReadonlyMap<StorePath, PathInfo>;

/**
 * Sorts so that every path comes after those it refers to, among equals as Nix does: by base name.
 *
 * @param isMember - which references count; what is not known never does.
 */
export function referencesFirst(
  paths: readonly StorePath[],
  infos: PathInfos,
  isMember: (path: StorePath) => boolean,
): StorePath[] {
  const sorted: StorePath[] = [];
  const seen = new Set<StorePath>();
  /** Pending work, last first: a path with its references still to come, or one whose references are done. */
  const stack = paths
    .toSorted()
    .reverse()
    .map((path) => ({ path, isDone: false }));
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { path, isDone } = next;
    if (isDone) sorted.push(path);
    if (isDone || seen.has(path)) continue;
    seen.add(path);
    stack.push({ path, isDone: true });
    for (const reference of infos.get(path)?.references.toReversed() ?? []) {
      if (infos.has(reference) && isMember(reference) && !seen.has(reference))
        stack.push({ path: reference, isDone: false });
    }
  }
  return sorted;
}

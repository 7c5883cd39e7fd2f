/** The ways that lead from one store path to another through references. */

import type { PathInfos } from '../../formats/references-first.ts';
import type { StorePath } from '../../formats/store-path.ts';

export interface Ways {
  readonly from: StorePath;
  readonly to: StorePath;
  /** Those references of a path from which a way leads to the end, the nearest first. */
  next(path: StorePath): readonly StorePath[];
}

/**
 * @param infos - of the closure of `from`.
 * @returns undefined where no way leads to `to`.
 */
export function findWays(from: StorePath, to: StorePath, infos: PathInfos): Ways | undefined {
  const distances = distancesTo(to, infos);
  if (!infos.has(to) || !distances.has(from)) return undefined;
  const isOnWay = (path: StorePath, reference: StorePath): boolean =>
    distances.has(reference) && (reference !== path || from === to);
  return {
    from,
    to,
    next: (path) =>
      infos
        .get(path)!
        .references.filter((reference) => isOnWay(path, reference))
        .sort((a, b) => distances.get(a)! - distances.get(b)!),
  };
}

/** How many references lead from a path to `to`, for all from which any do. */
function distancesTo(to: StorePath, infos: PathInfos): Map<StorePath, number> {
  const referrers = new Map<StorePath, StorePath[]>();
  for (const { path, references } of infos.values()) {
    for (const reference of references) {
      const known = referrers.get(reference);
      if (known === undefined) referrers.set(reference, [path]);
      else known.push(path);
    }
  }
  const distances = new Map([[to, 0]]);
  // A Map gives what is added while it is walked as well, in order: nearest first.
  for (const [path, distance] of distances) {
    for (const referrer of referrers.get(path) ?? []) {
      if (!distances.has(referrer)) distances.set(referrer, distance + 1);
    }
  }
  return distances;
}

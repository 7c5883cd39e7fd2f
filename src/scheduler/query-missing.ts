/**
 * What realising paths would take: which of them, and of all they refer to, substituters have, and how much that is.
 *
 * Source: Nix 2.35 libstore/misc.cc, Store::queryMissing.
 */
import { isNarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';

export interface SubstitutablePath {
  readonly path: StorePath;
  /** URI of the store that has it. */
  readonly substituter: string;
  readonly narSize: number;
  /** Bytes to download, where the substituter says. */
  readonly downloadSize: number | undefined;
}

export interface MissingPaths {
  /** Derivations that would be built. */
  readonly willBuild: readonly StorePath[];
  /** Sorted by path. */
  readonly willSubstitute: readonly SubstitutablePath[];
  /** Neither valid nor to be had. Sorted. */
  readonly unknown: readonly StorePath[];
  /** In bytes, as far as substituters say. */
  readonly downloadSize: number;
  /** In bytes. */
  readonly narSize: number;
}

/** Who has a path, and what is known of it. */
export interface FoundPath {
  readonly substituter: string;
  readonly info: PathInfo;
}

export interface QueryMissingOptions {
  readonly isValidPath: (path: StorePath) => Promise<boolean>;
  /** @returns undefined where nobody has it. */
  readonly find: (path: StorePath) => Promise<FoundPath | undefined>;
}

export async function queryMissing(
  paths: readonly StorePath[],
  { isValidPath, find }: QueryMissingOptions,
): Promise<MissingPaths> {
  const seen = new Set<StorePath>();
  const willSubstitute: SubstitutablePath[] = [];
  const unknown: StorePath[] = [];

  async function visit(path: StorePath): Promise<readonly StorePath[]> {
    if (await isValidPath(path)) return [];
    const found = await find(path);
    if (found === undefined) {
      unknown.push(path);
      return [];
    }
    const { substituter, info } = found;
    const downloadSize = isNarInfo(info) ? info.fileSize : info.narSize;
    willSubstitute.push({ path, substituter, narSize: info.narSize, downloadSize });
    return info.references;
  }

  await visitAll(paths, seen, visit);
  const byPath = (a: StorePath, b: StorePath): number => (a < b ? -1 : 1);
  return {
    willBuild: [],
    willSubstitute: willSubstitute.sort((a, b) => byPath(a.path, b.path)),
    unknown: unknown.sort(byPath),
    downloadSize: willSubstitute.reduce((sum, { downloadSize }) => sum + (downloadSize ?? 0), 0),
    narSize: willSubstitute.reduce((sum, { narSize }) => sum + narSize, 0),
  };
}

/** Visits `paths` and whatever each leads to, once, all at the same time; how deep that goes does not matter. */
function visitAll(
  paths: readonly StorePath[],
  seen: Set<StorePath>,
  visit: (path: StorePath) => Promise<readonly StorePath[]>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let underWay = 0;
  const begin = (each: readonly StorePath[]): void => {
    for (const path of each) {
      if (seen.has(path)) continue;
      seen.add(path);
      underWay++;
      visit(path).then((next) => {
        begin(next);
        underWay--;
        if (underWay === 0) resolve();
      }, reject);
    }
  };
  begin(paths);
  if (underWay === 0) resolve();
  return promise;
}

/**
 * What realising paths and building derivations would take: what would be built, and which paths, with all they refer
 * to, substituters have, and how much that is.
 *
 * Source: Nix 2.35 libstore/misc.cc, Store::queryMissing.
 */
import type { DerivedPath } from '../formats/derived-path.ts';
import { isNarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { ReadDerivation } from '../goals/derivation-context.ts';
import type { WantedOutputs } from '../goals/goal.ts';
import type { Settings } from '../settings.ts';

export interface SubstitutablePath {
  readonly path: StorePath;
  /** URI of the store that has it. */
  readonly substituter: string;
  readonly narSize: number;
  /** Bytes to download, where the substituter says. */
  readonly downloadSize: number | undefined;
}

export interface MissingPaths {
  /** Derivations that would be built. Sorted. */
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
  /** Reads a derivation, which is valid. */
  readonly readDerivation: (drvPath: StorePath) => Promise<ReadDerivation>;
  readonly settings: Pick<Settings, 'alwaysAllowSubstitutes' | 'substitute'>;
}

export async function queryMissing(
  requests: readonly DerivedPath[],
  { isValidPath, find, readDerivation, settings }: QueryMissingOptions,
): Promise<MissingPaths> {
  const willBuild = new Set<StorePath>();
  const willSubstitute: SubstitutablePath[] = [];
  const unknown: StorePath[] = [];
  const finding = new Map<StorePath, Promise<FoundPath | undefined>>();
  const findOnce = (path: StorePath): Promise<FoundPath | undefined> => {
    const known = finding.get(path);
    if (known !== undefined) return known;
    const found = find(path);
    finding.set(path, found);
    return found;
  };

  async function visitPath(path: StorePath): Promise<readonly DerivedPath[]> {
    if (await isValidPath(path)) return [];
    const found = await findOnce(path);
    if (found === undefined) {
      unknown.push(path);
      return [];
    }
    const { substituter, info } = found;
    const downloadSize = isNarInfo(info) ? info.fileSize : info.narSize;
    willSubstitute.push({ path, substituter, narSize: info.narSize, downloadSize });
    return info.references.map(opaque);
  }

  async function visitOutputs(drvPath: StorePath, wanted: WantedOutputs): Promise<readonly DerivedPath[]> {
    if (!(await isValidPath(drvPath))) return [opaque(drvPath)]; // what it needs cannot be told before it is there
    const { derivation, options } = await readDerivation(drvPath);
    const paths = Array.from(derivation.outputs)
      .filter(([name]) => wanted === 'all' || wanted.includes(name))
      .map(([, { path }]) => path);
    const valid = await Promise.all(paths.map(isValidPath));
    const missing = paths.filter((_, index) => !valid[index]);
    if (missing.length === 0) return [];
    const allowed = settings.substitute && (options.allowSubstitutes || settings.alwaysAllowSubstitutes);
    const found = allowed ? await Promise.all(missing.map(findOnce)) : [undefined];
    if (found.every((each) => each !== undefined)) return missing.map(opaque);
    willBuild.add(drvPath);
    const inputs = Array.from(derivation.inputDrvs, ([path, outputs]) => ({ kind: 'built', path, outputs }) as const);
    return [...inputs, ...derivation.inputSrcs.map(opaque)];
  }

  await visitAll(requests, (request) => {
    return request.kind === 'opaque' ? visitPath(request.path) : visitOutputs(request.path, request.outputs);
  });
  const byPath = (a: StorePath, b: StorePath): number => (a < b ? -1 : 1);
  return {
    willBuild: [...willBuild].sort(byPath),
    willSubstitute: willSubstitute.sort((a, b) => byPath(a.path, b.path)),
    unknown: unknown.sort(byPath),
    downloadSize: willSubstitute.reduce((sum, { downloadSize }) => sum + (downloadSize ?? 0), 0),
    narSize: willSubstitute.reduce((sum, { narSize }) => sum + narSize, 0),
  };
}

function opaque(path: StorePath): DerivedPath {
  return { kind: 'opaque', path };
}

/** Visits `requests` and whatever each leads to, once, all at the same time; how deep that goes does not matter. */
function visitAll(
  requests: readonly DerivedPath[],
  visit: (request: DerivedPath) => Promise<readonly DerivedPath[]>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const seen = new Set<string>();
  let underWay = 0;
  const begin = (each: readonly DerivedPath[]): void => {
    for (const request of each) {
      const key = request.kind === 'opaque' ? request.path : `${request.path}^${request.outputs}`;
      if (seen.has(key)) continue;
      seen.add(key);
      underWay++;
      visit(request).then((next) => {
        begin(next);
        underWay--;
        if (underWay === 0) resolve();
      }, reject);
    }
  };
  begin(requests);
  if (underWay === 0) resolve();
  return promise;
}

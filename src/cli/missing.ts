/**
 * What `--dry-run` shows: what would be built and fetched, in the words of Nix, or as JSON.
 *
 * Source: Nix 2.8 libmain/shared.cc, printMissing; the order is that of Nix 2.35.
 */
import { pathName, printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { MissingPaths } from '../scheduler/query-missing.ts';

const MEBIBYTE = 1024 * 1024;

/** Nothing where all is valid. */
export function describeMissing(
  { willBuild, willSubstitute, unknown, downloadSize, narSize }: MissingPaths,
  storeDir: StoreDir,
): string {
  const [download, unpacked] = [downloadSize, narSize].map((size) => (size / MEBIBYTE).toFixed(2));
  const sizes = `(${download} MiB download, ${unpacked} MiB unpacked)`;
  const fetched = willSubstitute.map(({ path }) => path).sort(byName);
  const many = fetched.length === 1 ? 'this path' : `these ${fetched.length} paths`;
  const built = willBuild.length === 1 ? 'this derivation' : `these ${willBuild.length} derivations`;
  return [
    ...list(`${built} will be built:`, willBuild, storeDir),
    ...list(`${many} will be fetched ${sizes}:`, fetched, storeDir),
    ...list("don't know how to build these paths:", unknown, storeDir),
  ].join('\n');
}

/** One object, with full paths and sizes in bytes. */
export function missingToJson(
  { willBuild, willSubstitute, unknown, downloadSize, narSize }: MissingPaths,
  storeDir: StoreDir,
): object {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  return {
    willBuild: willBuild.map(print),
    willSubstitute: willSubstitute.map((each) => ({ ...each, path: print(each.path) })),
    unknown: unknown.map(print),
    downloadSize,
    narSize,
  };
}

function list(title: string, paths: readonly StorePath[], storeDir: StoreDir): string[] {
  return paths.length === 0 ? [] : [title, ...paths.map((path) => `  ${printStorePath(storeDir, path)}`)];
}

function byName(a: StorePath, b: StorePath): number {
  const key = (path: StorePath): string => `${pathName(path)}\0${path}`;
  return key(a) < key(b) ? -1 : 1;
}

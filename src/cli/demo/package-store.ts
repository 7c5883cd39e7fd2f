/** Makes store paths of npm packages: one a package, content-addressed, with symlinks to those it depends on. */
import { constants, cp, mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFixedOutputPath, printStorePath, type StorePath } from '../../formats/store-path.ts';
import { WorkerPool } from '../../pool/worker-pool.ts';
import type { Settings } from '../../settings.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import { dumpNar } from '../../stores/nar-fs.ts';
import { removeTree } from '../../stores/remove-tree.ts';
import type { NpmPackage } from './npm-packages.ts';

export interface PackageStoreOptions {
  readonly store: LocalStore;
  /** Dependencies first. */
  readonly packages: readonly NpmPackage[];
  /** A directory to put files in before they become store paths; it exists, and is empty. */
  readonly scratch: string;
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

/** A tree of files that is to become a store path. */
interface Tree {
  readonly name: string;
  readonly location: string;
  /** What `node_modules` in it refers to, by name. */
  readonly links: ReadonlyMap<string, StorePath>;
}

/** @returns a path that refers to all packages, each under its name. */
export async function addPackages({ packages, ...options }: PackageStoreOptions): Promise<StorePath> {
  await using pool = new WorkerPool({ settings: options.settings });
  const { scratch } = options;
  const paths = new Map<NpmPackage, StorePath>();
  for (const each of packages) {
    const name = storeName(each);
    const location = join(scratch, name);
    // What is installed below a package is packages of their own.
    const nested = join(each.directory, 'node_modules');
    const filter = (source: string): boolean => source !== nested;
    const mode = constants.COPYFILE_FICLONE;
    await cp(each.directory, location, { recursive: true, verbatimSymlinks: true, filter, mode });
    const links = new Map([...each.dependencies].map(([as, dependency]) => [as, paths.get(dependency)!]));
    paths.set(each, await addTree({ name, location, links }, pool, options));
  }
  const name = 'node-modules';
  const location = join(scratch, name);
  await mkdir(location);
  const links = new Map([...paths].map(([{ name }, path]) => [name, path]));
  return await addTree({ name, location, links }, pool, options);
}

/** Adds a tree, and removes its files. */
async function addTree(
  { name, location, links }: Tree,
  pool: WorkerPool,
  { store, signal }: Omit<PackageStoreOptions, 'packages'>,
): Promise<StorePath> {
  for (const [as, path] of links) {
    const link = join(location, 'node_modules', as);
    await mkdir(dirname(link), { recursive: true });
    await symlink(printStorePath(store.storeDir, path), link);
  }
  const references = [...new Set(links.values())].sort();
  const { narHash, narSize } = await pool.run('hashPath', { realPath: location }, { signal });
  const contentAddress = { method: 'nar', hash: narHash } as const;
  const path = makeFixedOutputPath(store.storeDir, name, contentAddress, { references, self: false });
  const info = { path, narHash, narSize, references, signatures: [], contentAddress };
  await store.addToStore(info, (sink) => dumpNar(location, sink), { signal });
  await removeTree(location);
  return path;
}

/** `@biomejs/biome` 2.6.8 is `biomejs-biome-2.6.8`: a store path has neither '@' nor '/' in its name. */
function storeName({ name, version }: NpmPackage): string {
  return `${name}-${version}`.replace(/^@/, '').replaceAll(/[^A-Za-z0-9+._?=-]/g, '-');
}

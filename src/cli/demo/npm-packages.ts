/**
 * The installed npm packages as a graph: real files with real dependencies that are at hand wherever this runs.
 *
 * Source: Node.js 24 documentation, "Modules: CommonJS modules", loading from node_modules folders.
 */
import { access, readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** Where it lies, without symlinks. */
  readonly directory: string;
  /** Installed packages that it depends on, by the names it uses for them. No chain of them comes back to where it began. */
  readonly dependencies: ReadonlyMap<string, NpmPackage>;
}

/** The parts of a package.json that matter here. */
interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/**
 * Reads the packages of a `node_modules` directory, and those that they depend on.
 *
 * @returns every package after its dependencies. A dependency that would close a cycle is left out, as store paths can
 *   have none.
 */
export async function readNpmPackages(nodeModules: string): Promise<NpmPackage[]> {
  const finished = new Map<string, NpmPackage>();
  const visiting = new Set<string>();

  async function visit(location: string): Promise<NpmPackage | undefined> {
    const directory = await realpath(location);
    const known = finished.get(directory);
    if (known !== undefined || visiting.has(directory)) return known;
    visiting.add(directory);
    const manifest = await readManifest(directory);
    const dependencies = new Map<string, NpmPackage>();
    for (const name of dependencyNames(manifest)) {
      const found = await resolvePackage(name, directory);
      const dependency = found === undefined ? undefined : await visit(found);
      if (dependency !== undefined) dependencies.set(name, dependency);
    }
    const { name = basename(directory), version = '0' } = manifest;
    const read = { name, version, directory, dependencies };
    finished.set(directory, read);
    return read;
  }

  for (const location of await listPackages(nodeModules)) await visit(location);
  return [...finished.values()];
}

/** The directories in a `node_modules` that hold a package, those of scopes included. */
async function listPackages(nodeModules: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of (await readdir(nodeModules)).sort()) {
    if (name.startsWith('.')) continue;
    const scoped = name.startsWith('@') ? (await readdir(join(nodeModules, name))).sort() : undefined;
    names.push(...(scoped?.map((inner) => join(name, inner)) ?? [name]));
  }
  const directories = names.map((name) => join(nodeModules, name));
  const found = await Promise.all(directories.map(isPackage));
  return directories.filter((_, index) => found[index]);
}

function dependencyNames({ dependencies, optionalDependencies, peerDependencies }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).sort();
}

/** Where Node finds a package that is asked for from `directory`. */
async function resolvePackage(name: string, directory: string): Promise<string | undefined> {
  for (let parent = directory; ; parent = dirname(parent)) {
    const candidate = join(parent, 'node_modules', name);
    if (basename(parent) !== 'node_modules' && (await isPackage(candidate))) return candidate;
    if (parent === dirname(parent)) return undefined;
  }
}

async function isPackage(directory: string): Promise<boolean> {
  return await access(join(directory, 'package.json')).then(
    () => true,
    () => false,
  );
}

async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Manifest;
}

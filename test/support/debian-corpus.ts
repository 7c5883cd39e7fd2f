/** Real file trees with a real graph: Debian packages, each one a store object that refers to those it depends on. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_STORE_DIR, printStorePath, type StorePath } from '../../src/formats/store-path.ts';
import { type CorpusObject, corpusPath } from './corpus.ts';
import { lines, output, run } from './run.ts';

interface DebianPackage {
  readonly file: string;
  readonly version: string;
  readonly dependencies: readonly string[];
}

/** A package among others: those it depends on come before it. */
export interface OrderedPackage {
  readonly name: string;
  readonly file: string;
  /** As the name of a store path: `git-1-2.39.5-0-deb12u2`. */
  readonly pathName: string;
  /** Names of other packages, each once. */
  readonly dependencies: readonly string[];
}

/**
 * Downloads packages with all that they depend on. An edge that would close a circle is dropped.
 *
 * @param which - `needed`: of alternatives only the first; `all`: whatever could be downloaded.
 */
export async function downloadPackages(
  directory: string,
  roots: readonly string[],
  which: 'needed' | 'all' = 'needed',
): Promise<OrderedPackage[]> {
  const packages = await download(directory, roots);
  const ordered = new Map<string, OrderedPackage>();
  const visiting = new Set<string>();

  function visit(name: string): boolean {
    if (ordered.has(name)) return true;
    const found = packages.get(name);
    if (found === undefined || visiting.has(name)) return false;
    visiting.add(name);
    const dependencies = [...new Set(found.dependencies)].filter(visit);
    const pathName = `${name}-${found.version}`.replaceAll(/[^A-Za-z0-9+._?=-]/g, '-');
    ordered.set(name, { name, file: found.file, pathName, dependencies });
    return true;
  }

  roots.forEach(visit);
  if (which === 'all') for (const name of packages.keys()) visit(name);
  return [...ordered.values()];
}

/** Downloads and unpacks packages with all that they depend on, below `directory`, with a top that refers to `roots`. */
export async function makeDebianObjects(directory: string, roots: readonly string[]): Promise<CorpusObject[]> {
  const objects = new Map<string, CorpusObject>();
  const paths = (names: readonly string[]): StorePath[] => names.map((name) => objects.get(name)!.path);
  for (const { name, file, pathName, dependencies } of await downloadPackages(join(directory, 'debs'), roots)) {
    const path = corpusPath(pathName);
    const location = join(directory, path);
    await output('dpkg-deb', ['-x', file, location]);
    objects.set(name, await finished(path, location, paths(dependencies)));
  }
  const path = corpusPath('debian-top');
  return [...objects.values(), await finished(path, join(directory, path), paths(roots))];
}

/** Writes the references down in the object, as a build would. */
async function finished(path: StorePath, location: string, references: Iterable<StorePath>): Promise<CorpusObject> {
  const sorted = [...references].sort();
  const text = sorted.map((reference) => printStorePath(DEFAULT_STORE_DIR, reference)).join(' ');
  await mkdir(join(location, 'nix-support'), { recursive: true });
  await writeFile(join(location, 'nix-support', 'propagated'), text);
  return { path, location, references: sorted };
}

/** Packages that are downloaded by one call: a program that takes minutes counts as hanging. */
const BATCH = 40;
const WITHOUT = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);

/** Why packages cannot be downloaded here, if they cannot. */
export async function whyNoDebian(): Promise<string | undefined> {
  const { code } = await run('apt-get', ['--print-uris', 'download', 'git']).catch(() => ({ code: undefined }));
  return code === 0 ? undefined : 'apt-get knows no packages here';
}

/** @returns packages by name, one for each that could be had. */
async function download(directory: string, roots: readonly string[]): Promise<Map<string, DebianPackage>> {
  await mkdir(directory, { recursive: true });
  const closure = lines(await output('apt-cache', ['depends', '--recurse', ...WITHOUT, ...roots]));
  const names = new Set(closure.filter((line) => /^[a-z0-9]/.test(line)));
  const real = lines(await output('apt-cache', ['--no-all-versions', 'show', ...names]))
    .filter((line) => line.startsWith('Package: '))
    .map((line) => line.slice('Package: '.length));
  const wanted = [...new Set(real)];
  for (let start = 0; start < wanted.length; start += BATCH) {
    await output('apt-get', ['-q', 'download', ...wanted.slice(start, start + BATCH)], { cwd: directory });
  }
  const packages = new Map<string, DebianPackage>();
  for (const name of (await readdir(directory)).sort()) {
    const file = join(directory, name);
    const fields = await output('dpkg-deb', ['-f', file, 'Package', 'Version', 'Depends', 'Pre-Depends']);
    const field = (wanted: string): string => new RegExp(`^${wanted}: (.*)$`, 'm').exec(fields)?.[1] ?? '';
    packages.set(field('Package'), { file, version: field('Version'), dependencies: dependenciesOf(field) });
  }
  return packages;
}

/** Of alternatives the first; versions and architectures are of no matter here. */
function dependenciesOf(field: (name: string) => string): string[] {
  return `${field('Pre-Depends')},${field('Depends')}`
    .split(',')
    .map((dependency) => /^[a-z0-9][a-z0-9+.-]*/.exec(dependency.trim())?.[0])
    .filter((name) => name !== undefined);
}

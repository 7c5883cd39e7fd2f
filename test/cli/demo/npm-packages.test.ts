import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type NpmPackage, readNpmPackages } from '../../../src/cli/demo/npm-packages.ts';
import { makeScratch } from '../../support/scratch.ts';

type Manifest = Readonly<Record<string, unknown>>;

async function install(directory: string, packages: Readonly<Record<string, Manifest>>): Promise<void> {
  for (const [location, manifest] of Object.entries(packages)) {
    await mkdir(join(directory, location), { recursive: true });
    await writeFile(join(directory, location, 'package.json'), JSON.stringify({ version: '1.0.0', ...manifest }));
  }
}

/** `name version` of each, with those it depends on. */
function graphOf(packages: readonly NpmPackage[]): Record<string, string[]> {
  const label = ({ name, version }: NpmPackage): string => `${name} ${version}`;
  return Object.fromEntries(packages.map((each) => [label(each), [...each.dependencies.values()].map(label)]));
}

test('a package comes after those it depends on, in every way to depend', async () => {
  await using scratch = await makeScratch();
  await install(join(scratch.path, 'node_modules'), {
    a: {
      name: 'a',
      dependencies: { b: '*', '@s/c': '*' },
      optionalDependencies: { missing: '*', d: '*' },
      peerDependencies: { e: '*' },
      devDependencies: { f: '*' },
    },
    b: { name: 'b' },
    '@s/c': { name: '@s/c', dependencies: { b: '*' } },
    d: { name: 'd' },
    e: { name: 'e' },
    f: { name: 'f' },
    '.cache': { name: 'no-package' },
  });
  const packages = await readNpmPackages(join(scratch.path, 'node_modules'));
  assert.deepEqual(graphOf(packages), {
    'b 1.0.0': [],
    '@s/c 1.0.0': ['b 1.0.0'],
    'd 1.0.0': [],
    'e 1.0.0': [],
    'a 1.0.0': ['@s/c 1.0.0', 'b 1.0.0', 'd 1.0.0', 'e 1.0.0'],
    'f 1.0.0': [],
  });
  const seen = new Set<NpmPackage>();
  for (const each of packages) {
    for (const dependency of each.dependencies.values()) assert.ok(seen.has(dependency));
    seen.add(each);
  }
});

test('a package that is installed below another one is that one’s alone', async () => {
  await using scratch = await makeScratch();
  await install(join(scratch.path, 'node_modules'), {
    a: { name: 'a', dependencies: { b: '*' } },
    'a/node_modules/b': { name: 'b', version: '2.0.0' },
    b: { name: 'b' },
    c: { name: 'c', dependencies: { b: '*' } },
  });
  assert.deepEqual(graphOf(await readNpmPackages(join(scratch.path, 'node_modules'))), {
    'b 2.0.0': [],
    'a 1.0.0': ['b 2.0.0'],
    'b 1.0.0': [],
    'c 1.0.0': ['b 1.0.0'],
  });
});

test('a dependency that closes a cycle is left out', async () => {
  await using scratch = await makeScratch();
  await install(join(scratch.path, 'node_modules'), {
    a: { name: 'a', dependencies: { b: '*', a: '*' } },
    b: { name: 'b', dependencies: { a: '*' } },
  });
  const packages = await readNpmPackages(join(scratch.path, 'node_modules'));
  assert.deepEqual(graphOf(packages), { 'b 1.0.0': [], 'a 1.0.0': ['b 1.0.0'] });
});

test('symlinks are followed, as pnpm installs packages', async () => {
  await using scratch = await makeScratch();
  await install(join(scratch.path, 'node_modules/.pnpm'), {
    'a@1/node_modules/a': { name: 'a', dependencies: { b: '*' } },
    'b@1/node_modules/b': { name: 'b' },
  });
  const modules = join(scratch.path, 'node_modules');
  await symlink('.pnpm/a@1/node_modules/a', join(modules, 'a'));
  await symlink('../../b@1/node_modules/b', join(modules, '.pnpm/a@1/node_modules/b'));
  assert.deepEqual(graphOf(await readNpmPackages(modules)), { 'b 1.0.0': [], 'a 1.0.0': ['b 1.0.0'] });
});

import assert from 'node:assert/strict';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readNpmPackages } from '../../../src/cli/demo/npm-packages.ts';
import { addPackages } from '../../../src/cli/demo/package-store.ts';
import { pathName, printStorePath } from '../../../src/formats/store-path.ts';
import { verifyStore } from '../../../src/scheduler/verify-store.ts';
import { makeSettings } from '../../../src/settings.ts';
import { openLocalStoreAt } from '../../../src/stores/open-store.ts';
import { makeScratch } from '../../support/scratch.ts';

test('packages become store paths that refer to those they depend on, and really do', async () => {
  await using scratch = await makeScratch();
  const modules = join(scratch.path, 'node_modules');
  for (const [location, manifest] of Object.entries({
    app: { name: 'app', version: '1.0.0', dependencies: { '@scope/lib': '*', twin: '*' } },
    '@scope/lib': { name: '@scope/lib', version: '2.0.0+build' },
    twin: { name: 'twin', version: '1.0.0' },
    'app/node_modules/twin': { name: 'twin', version: '3.0.0' },
  })) {
    await mkdir(join(modules, location), { recursive: true });
    await writeFile(join(modules, location, 'package.json'), JSON.stringify(manifest));
  }
  const trees = join(scratch.path, 'trees');
  await mkdir(trees);
  const settings = makeSettings({ workerThreads: 1 });
  await using store = await openLocalStoreAt(join(scratch.path, 'store'), settings);
  const { signal } = new AbortController();
  const top = await addPackages({ store, packages: await readNpmPackages(modules), scratch: trees, settings, signal });

  const paths = await store.queryAllValidPaths();
  assert.deepEqual(paths.map(pathName).sort(), [
    'app-1.0.0',
    'node-modules',
    'scope-lib-2.0.0+build',
    'twin-1.0.0',
    'twin-3.0.0',
  ]);
  const find = (name: string): string => paths.find((path) => pathName(path) === name)!;
  const app = await store.queryPathInfo(paths.find((path) => pathName(path) === 'app-1.0.0')!);
  assert.deepEqual(app!.references, [find('scope-lib-2.0.0+build'), find('twin-3.0.0')].sort());
  assert.equal(
    await readlink(join(store.realPath(app!.path), 'node_modules/@scope/lib')),
    printStorePath(store.storeDir, find('scope-lib-2.0.0+build') as never),
  );
  assert.deepEqual((await store.queryPathInfo(top))!.references.length, 3);
  assert.deepEqual((await verifyStore({ store, contents: true, settings })).problems, []);
  assert.deepEqual(await readdir(trees), []);
});

/** A binary cache of three small paths, for tests that copy: an app, a library that it needs, and another that this needs. */
import { printStorePath } from '../../src/formats/store-path.ts';
import { makeSettings } from '../../src/settings.ts';
import { openStore } from '../../src/stores/open-store.ts';
import { add, makeObject, type StoreObject } from './store-objects.ts';
import { directory, file } from './trees.ts';

export interface SmallCache {
  readonly uri: string;
  readonly dir: string;
  readonly base: StoreObject;
  readonly lib: StoreObject;
  readonly app: StoreObject;
  /** Full paths, in the order base, lib, app. */
  readonly paths: readonly [base: string, lib: string, app: string];
}

/** @param dir - does not exist yet. */
export async function smallCache(dir: string, params = ''): Promise<SmallCache> {
  const base = makeObject('base', file('base\n'.repeat(1000)));
  const lib = makeObject('lib-1.0', directory({ 'lib.so': file('so', true) }), { references: [base.info.path] });
  const tree = directory({
    bin: directory({ app: file('#!/bin/sh\n', true), 'app-link': { type: 'symlink', target: 'app' } }),
    share: directory({ '10': file('ten'), '9': file(''), empty: directory({}) }),
  });
  const app = makeObject('app-2.0', tree, { references: [lib.info.path] });
  const uri = `file://${dir}`;
  await using store = await openStore(`${uri}${params}`, makeSettings());
  await add(store, base, lib, app);
  const [basePath, libPath, appPath] = [base, lib, app].map(({ info }) => printStorePath(store.storeDir, info.path));
  return { uri, dir, base, lib, app, paths: [basePath!, libPath!, appPath!] };
}

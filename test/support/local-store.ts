/** Local stores for tests: chroot stores in directories of their own, and paths staged in them. */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseStoreReference } from '../../src/formats/store-reference.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { type LocalStore, openLocalStore, type StagedPath } from '../../src/stores/local-store.ts';
import { NarRestorer } from '../../src/stores/nar-fs.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import type { Staging } from '../../src/stores/staging.ts';
import type { StoreObject } from './store-objects.ts';

/** An empty directory, removed with whatever is in it, read-only directories too. */
export async function temporaryDirectory(resources: AsyncDisposableStack): Promise<string> {
  const { path } = await mkdtempDisposable(join(tmpdir(), 'sluice-test-'));
  return resources.adopt(path, removeTree);
}

/** Opens `local?root=DIR`, or another URI. Released with `resources`. */
export async function openTestStore(
  uri: string,
  resources: AsyncDisposableStack,
  settings: Partial<Settings> = {},
): Promise<LocalStore> {
  return resources.use(await openLocalStore(parseStoreReference(uri), makeSettings(settings)));
}

/** An empty store in a directory of its own. */
export async function emptyStore(
  resources: AsyncDisposableStack,
  settings: Partial<Settings> = {},
): Promise<{ readonly root: string; readonly store: LocalStore; readonly staging: Staging }> {
  const root = await temporaryDirectory(resources);
  const store = await openTestStore(root, resources, settings);
  const staging = resources.use(await store.openStaging());
  return { root, store, staging };
}

/** Unpacks objects as a worker would. */
export function stage({ dir }: Staging, ...objects: readonly StoreObject[]): StagedPath[] {
  return objects.map(({ info, nar }) => {
    const location = join(dir, info.path);
    using restorer = new NarRestorer(location);
    restorer.push(nar);
    restorer.finish();
    return { info, location };
  });
}

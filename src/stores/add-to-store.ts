/**
 * Adding one path to a local store out of a NAR that somebody pours: unpacked beside its place, checked, registered.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::addToStore.
 */
import { join } from 'node:path';
import { InvalidPathError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath } from '../formats/store-path.ts';
import type { LocalStore } from './local-store.ts';
import type { NarSource } from './store.ts';
import { verifyNar } from './verify-nar.ts';

/**
 * Makes a path valid; where it is already, the NAR is not asked for.
 *
 * @throws {InvalidPathError} where a path that it refers to is not valid; what is wrong with the NAR; the reason of
 *   `signal`.
 */
export async function addToStore(
  store: LocalStore,
  info: PathInfo,
  nar: NarSource,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  // First: a collector that runs now may be about to delete what is valid still.
  await store.addTempRoots([info.path, ...info.references], { signal });
  if (await store.isValidPath(info.path, { signal })) return;
  await checkReferences(store, info, signal); // before the work; registration looks again
  using _space = await store.claimSpace(info.path, info.narSize);
  await using staging = await store.openStaging();
  const location = join(staging.dir, info.path);
  using restorer = store.openRestorer(location);
  const verified = verifyNar(store.storeDir, info, nar);
  await verified((chunk) => {
    signal?.throwIfAborted();
    restorer.push(chunk);
  });
  restorer.finish();
  const [outcome] = await store.registerStaged([{ info, location }], { signal });
  if (outcome?.state === 'failed') throw outcome.error;
}

async function checkReferences(
  store: LocalStore,
  { path, references }: PathInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  const valid = await store.queryValidPaths(references, { signal });
  const missing = references.find((reference) => reference !== path && !valid.has(reference));
  if (missing === undefined) return;
  const hint = `add it first: '${printStorePath(store.storeDir, path)}' refers to it`;
  throw new InvalidPathError(printStorePath(store.storeDir, missing), store.uri, { hint });
}

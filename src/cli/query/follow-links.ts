/**
 * Store paths as people name them: in full, something in one, or a symlink that leads there, such as `./result`.
 *
 * Source: Nix 2.35 libstore/store-api.cc, Store::followLinksToStorePath.
 */
import { readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../../errors.ts';
import { parseWithin, type StoreDir, type StorePath } from '../../formats/store-path.ts';

/** What the system allows as well. */
const MAX_LINKS = 40;

/**
 * The store path that `text` names. Only the last component of each name is followed, and only until the store is
 * reached: what is linked to in there stays as it is.
 *
 * @throws {UsageError} where it leads somewhere else, {@link FormatError} on a name in the store that no path has.
 */
export async function followLinksToStore(storeDir: StoreDir, text: string): Promise<StorePath> {
  let path = resolve(text);
  for (let links = 0; !path.startsWith(`${storeDir}/`); links++) {
    const target = links < MAX_LINKS ? await targetOf(path) : undefined;
    if (target === undefined) throw new UsageError(`path '${path}' is not in the store directory '${storeDir}'`);
    path = resolve(dirname(path), target);
  }
  return parseWithin(storeDir, path).path;
}

/** @returns undefined where there is no symlink. */
async function targetOf(path: string): Promise<string | undefined> {
  return await readlink(path).catch(() => undefined);
}

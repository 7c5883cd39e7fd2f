/** All paths of a store, where it can tell them: a binary cache in a directory, or a local store. */
import { opendir } from 'node:fs/promises';
import { StoreError } from '../../errors.ts';
import { MAX_NARINFO_SIZE, parseNarInfo } from '../../formats/narinfo.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { parseStoreReference, pathOfStoreReference } from '../../formats/store-reference.ts';
import { FileTransport } from '../../stores/file-transport.ts';
import { LocalStore } from '../../stores/local-store.ts';
import type { Store } from '../../stores/store.ts';

/**
 * @returns undefined where a store has no way to list what it holds, as behind HTTP.
 * @throws {StoreError} where the directory of a cache cannot be read.
 */
export async function listPaths(store: Store, signal: AbortSignal): Promise<StorePath[] | undefined> {
  if (store instanceof LocalStore) return store.queryAllValidPaths({ signal });
  const reference = parseStoreReference(store.openUri);
  if (reference.scheme !== 'file') return undefined;
  return listCache(store, pathOfStoreReference(reference), signal);
}

async function listCache(store: Store, dir: string, signal: AbortSignal): Promise<StorePath[]> {
  await using transport = new FileTransport(store.uri, dir);
  const entries = await opendir(dir).catch((cause: Error) => {
    throw new StoreError(`cannot list binary cache '${store.uri}': ${cause.message}`, { cause });
  });
  const paths: StorePath[] = [];
  for await (const { name } of entries) {
    if (!name.endsWith('.narinfo')) continue;
    // The file is named after the hash part alone, so the rest of the path is only in it.
    const bytes = await transport.getFile(name, MAX_NARINFO_SIZE, { signal });
    if (bytes !== undefined) paths.push(parseNarInfo(store.storeDir, Buffer.from(bytes).toString()).path);
  }
  return paths.sort();
}

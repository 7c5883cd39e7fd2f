/**
 * From a URI to a store. Each kind is loaded when it is first asked for: a command that needs only files should not
 * wait for SQLite or for an HTTP client.
 */
import { isAbsolute } from 'node:path';
import { UsageError } from '../errors.ts';
import {
  parseStoreReference,
  pathOfStoreReference,
  printStoreReference,
  type StoreReference,
  withoutCredentials,
} from '../formats/store-reference.ts';
import type { Settings } from '../settings.ts';
import type { CacheTransport } from './cache-transport.ts';
import type { LocalStore } from './local-store.ts';
import type { Store } from './store.ts';
import { checkParams, storeDirParam } from './store-params.ts';

type Opener = (reference: StoreReference, settings: Settings) => Promise<Store>;

/** By scheme. */
const OPENERS: Readonly<Record<string, Opener>> = {
  local: openLocal,
  file: openFileCache,
  http: openHttpCache,
  https: openHttpCache,
  memory: openMemory,
};

/**
 * Opens the store that a URI names: `local`, `/plain/path` (a chroot store), `file:///path`, `https://host`, `memory:`.
 *
 * @throws {FormatError} on what is no URI of a store.
 * @throws {UsageError} on a scheme or a parameter that is not known, or a value that makes no sense.
 */
export async function openStore(uri: string, settings: Settings): Promise<Store> {
  const reference = parseStoreReference(uri);
  const scheme = reference.scheme === 'auto' ? 'local' : reference.scheme;
  if (!Object.hasOwn(OPENERS, scheme)) {
    throw new UsageError(`cannot open '${withoutCredentials(uri)}': unknown kind of store '${scheme}'`, {
      hint: `known: ${Object.keys(OPENERS).join(', ')}`,
    });
  }
  return await OPENERS[scheme]!(reference, settings);
}

const opened = new Map<string, Promise<Store>>();

/**
 * As {@link openStore}, but once a thread: who asks for the same URI again gets the same store, with the settings of
 * the first call. For workers, which end with their stores open.
 */
export function openStoreOnce(uri: string, settings: Settings): Promise<Store> {
  const known = opened.get(uri);
  if (known !== undefined) return known;
  const store = openStore(uri, settings);
  opened.set(uri, store);
  store.catch(() => opened.delete(uri)); // the next one may try again
  return store;
}

/**
 * Opens a local store, which can do more than others: `auto`, `local`, `local?root=DIR`, or a directory.
 *
 * @throws {UsageError} on the URI of any other store.
 */
export async function openLocalStoreAt(uri: string, settings: Settings): Promise<LocalStore> {
  const reference = parseStoreReference(uri);
  if (reference.scheme === 'auto' || reference.scheme === 'local') return openLocal(reference, settings);
  throw new UsageError(`'${withoutCredentials(uri)}' is no local store`, {
    hint: "name one as 'local', 'local?root=DIR', or an absolute directory",
  });
}

async function openLocal(reference: StoreReference, settings: Settings): Promise<LocalStore> {
  const { openLocalStore } = await import('./local-store.ts');
  return openLocalStore(reference, settings);
}

async function openFileCache(reference: StoreReference, settings: Settings): Promise<Store> {
  const dir = pathOfStoreReference(reference);
  if (!isAbsolute(dir)) {
    throw new UsageError(`store '${printStoreReference(reference)}' names no directory`, {
      hint: 'a path takes three slashes: file:///path',
    });
  }
  const { FileTransport } = await import('./file-transport.ts');
  return openBinaryCache(reference, settings, (uri) => new FileTransport(uri, dir));
}

async function openHttpCache(reference: StoreReference, settings: Settings): Promise<Store> {
  const url = `${reference.scheme}://${reference.authority}`;
  if (!URL.canParse(url)) throw new UsageError(`store '${withoutCredentials(url)}' names no host`);
  const { HttpTransport } = await import('./http-transport.ts');
  return openBinaryCache(reference, settings, () => new HttpTransport(url, settings));
}

async function openBinaryCache(
  reference: StoreReference,
  settings: Settings,
  connect: (uri: string) => CacheTransport,
): Promise<Store> {
  const { BinaryCacheStore } = await import('./binary-cache-store.ts');
  const { BINARY_CACHE_PARAMS, parseBinaryCacheParams } = await import('./binary-cache-params.ts');
  checkParams(reference, BINARY_CACHE_PARAMS);
  const options = parseBinaryCacheParams(reference.params, settings.secretKeyFiles);
  const uri = printStoreReference(reference);
  return new BinaryCacheStore(uri, connect(withoutCredentials(uri)), options);
}

async function openMemory(reference: StoreReference): Promise<Store> {
  checkParams(reference, ['store']);
  const { MemoryStore } = await import('./memory-store.ts');
  return new MemoryStore(storeDirParam(reference.params));
}

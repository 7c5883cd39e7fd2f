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
import type { Memory } from './binary-cache/memory.ts';
import type { CacheTransport } from './cache-transport.ts';
import type { LocalStore } from './local-store.ts';
import type { NarInfoCache } from './narinfo-cache/remembered-cache.ts';
import type { Store } from './store.ts';
import { checkParams, storeDirParam } from './store-params.ts';

export interface OpenOptions {
  /** What is remembered of binary caches behind a network from one run to the next. */
  readonly narInfoCache?: NarInfoCache | undefined;
}

type Opener = (reference: StoreReference, settings: Settings, options: OpenOptions) => Promise<Store>;

/** By scheme. */
const OPENERS: Readonly<Record<string, Opener>> = {
  local: openLocal,
  file: openFileCache,
  http: openHttpCache,
  https: openHttpCache,
  s3: openS3Cache,
  daemon: openRemote,
  unix: openRemote,
  'ssh-ng': openRemote,
  ssh: openRemote,
  memory: openMemory,
};

/**
 * Opens the store that a URI names: `local`, `/plain/path` (a chroot store), `file:///path`, `https://host`, `s3://bucket`,
 * `daemon`, `unix:///socket`, `ssh-ng://host`, `ssh://host`, `memory:`.
 *
 * @throws {FormatError} on what is no URI of a store.
 * @throws {UsageError} on a scheme or a parameter that is not known, or a value that makes no sense.
 */
export async function openStore(uri: string, settings: Settings, options: OpenOptions = {}): Promise<Store> {
  const reference = parseStoreReference(uri);
  const scheme = reference.scheme === 'auto' ? 'local' : reference.scheme;
  if (!Object.hasOwn(OPENERS, scheme)) {
    throw new UsageError(`cannot open '${withoutCredentials(uri)}': unknown kind of store '${scheme}'`, {
      hint: `known: ${Object.keys(OPENERS).join(', ')}`,
    });
  }
  return await OPENERS[scheme]!(reference, settings, options);
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
  // Asking a directory again costs no more than remembering that it lacks a path.
  const memory = { settings: { ...settings, narinfoCacheNegativeTtl: 0 } };
  return openBinaryCache(reference, settings, (uri) => new FileTransport(uri, dir), memory);
}

async function openHttpCache(reference: StoreReference, settings: Settings, options: OpenOptions): Promise<Store> {
  const url = `${reference.scheme}://${reference.authority}`;
  if (!URL.canParse(url)) throw new UsageError(`store '${withoutCredentials(url)}' names no host`);
  const { HTTP_PARAMS, overruleSettings } = await import('./http/params.ts');
  const { HttpTransport } = await import('./http/transport.ts');
  const own = overruleSettings(reference.params, settings);
  const memory = memoryOf(reference, settings, options);
  return openBinaryCache(reference, own, () => new HttpTransport(url, own), memory, HTTP_PARAMS);
}

async function openS3Cache(reference: StoreReference, settings: Settings, options: OpenOptions): Promise<Store> {
  const { locateS3 } = await import('./s3/location.ts');
  const { parseS3WriteParams, S3_PARAMS } = await import('./s3/params.ts');
  const { HTTP_PARAMS, overruleSettings } = await import('./http/params.ts');
  const location = locateS3(reference);
  const writing = parseS3WriteParams(reference.params);
  const own = overruleSettings(reference.params, settings);
  const { S3Transport } = await import('./s3/transport.ts');
  const connect = (uri: string): CacheTransport => new S3Transport(uri, location, writing, own);
  const memory = memoryOf(reference, settings, options);
  return openBinaryCache(reference, own, connect, memory, [...HTTP_PARAMS, ...S3_PARAMS]);
}

async function openBinaryCache(
  reference: StoreReference,
  settings: Settings,
  connect: (uri: string) => CacheTransport,
  memory: Memory,
  ownParams: readonly string[] = [],
): Promise<Store> {
  const { BinaryCacheStore } = await import('./binary-cache-store.ts');
  const { BINARY_CACHE_PARAMS, parseBinaryCacheParams } = await import('./binary-cache-params.ts');
  checkParams(reference, [...BINARY_CACHE_PARAMS, ...ownParams]);
  const options = parseBinaryCacheParams(reference.params, settings.secretKeyFiles);
  const uri = printStoreReference(reference);
  return new BinaryCacheStore(uri, connect(withoutCredentials(uri)), options, memory);
}

/** The parameters that tell caches apart; the others are about how one is used. */
const LOCATING: ReadonlySet<string> = new Set(['endpoint', 'profile', 'region', 'scheme']);

/** Of a cache behind a network: what earlier runs have learned of it counts. */
function memoryOf(reference: StoreReference, settings: Settings, { narInfoCache }: OpenOptions): Memory {
  const params = Object.fromEntries(Object.entries(reference.params).filter(([name]) => LOCATING.has(name)));
  const authority = reference.authority.replace(/\/+$/, '');
  const url = withoutCredentials(printStoreReference({ ...reference, authority, params }));
  return { settings, remembered: narInfoCache?.of(url, storeDirParam(reference.params)) };
}

async function openRemote(reference: StoreReference, settings: Settings): Promise<Store> {
  const { openDaemonStore, openServeStore, openSshDaemonStore } = await import('./remote/open.ts');
  if (reference.scheme === 'ssh') return openServeStore(reference, settings);
  return (reference.scheme === 'ssh-ng' ? openSshDaemonStore : openDaemonStore)(reference, settings);
}

async function openMemory(reference: StoreReference): Promise<Store> {
  checkParams(reference, ['store']);
  const { MemoryStore } = await import('./memory-store.ts');
  return new MemoryStore(storeDirParam(reference.params));
}

/**
 * Adding files to a local store under the path that follows from their contents.
 *
 * Everything is read once. What is small is kept in memory until its path is known, so that nothing is written where
 * that is valid already; what is larger goes to a staging directory meanwhile.
 *
 * Source: Nix 2.35 libstore/local-store.cc, LocalStore::addToStoreFromDump.
 */
import { basename, join, resolve } from 'node:path';
import { InvalidPathError, UsageError } from '../errors.ts';
import type { HashAlgorithm } from '../formats/hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { type Addition, type AddMethod, bytesSource, fileSource, readAddition, treeSource } from './addition.ts';
import { asStoreError } from './fs-errors.ts';
import type { LocalStore } from './local-store.ts';
import type { NarRestorer, PathFilter } from './nar-fs.ts';

export type { AddMethod } from './addition.ts';

export interface AddPathOptions {
  /** What the store path says after its hash part; by default the file's own name. */
  readonly name?: string | undefined;
  /** By default `nar`. */
  readonly method?: AddMethod | undefined;
  /** By default sha256; `text` allows no other. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Says of each file below `path` whether it is added, for `nar`; by default all are. */
  readonly filter?: PathFilter | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a NAR that are kept in memory. */
const MOST_IN_MEMORY = 8 * 1024 * 1024;
/** What the store's own file system says no to has been told by then. */
const UNREADABLE = 'what is added must be there, and this user must be allowed to read all of it';

/** Makes a file or a tree a valid path: see {@link LocalStore.addPath}. */
export async function addPath(store: LocalStore, path: string, options: AddPathOptions = {}): Promise<PathInfo> {
  return await addAddition(store, describe(path, options), `cannot add '${path}'`, options.signal);
}

/** Says which path {@link addPath} would make, and adds nothing. */
export async function pathToAdd(storeDir: StoreDir, path: string, options: AddPathOptions = {}): Promise<PathInfo> {
  try {
    return await readAddition(storeDir, describe(path, options), options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw asStoreError(`cannot read '${path}'`, error, UNREADABLE);
  }
}

/** Makes a text a valid path: see {@link LocalStore.addTextToStore}. */
export async function addTextToStore(
  store: LocalStore,
  name: string,
  text: string | Uint8Array,
  references: readonly StorePath[],
  signal: AbortSignal | undefined,
): Promise<PathInfo> {
  const pour = bytesSource(Buffer.from(text));
  const addition = { name, method: 'text', algorithm: 'sha256', references, pour } as const;
  return await addAddition(store, addition, `cannot add text '${name}'`, signal);
}

function describe(path: string, options: AddPathOptions): Addition {
  const { name = basename(resolve(path)), method = 'nar', algorithm = 'sha256', filter } = options;
  if (method === 'text' && algorithm !== 'sha256') {
    throw new UsageError(`text is addressed by sha256 only, not by ${algorithm}`);
  }
  const pour = method === 'nar' ? treeSource(path, filter) : fileSource(path);
  return { name, method, algorithm, references: [], pour };
}

async function addAddition(
  store: LocalStore,
  addition: Addition,
  problem: string,
  signal: AbortSignal | undefined,
): Promise<PathInfo> {
  await using held = new HeldNar(store);
  try {
    const info = await readAddition(store.storeDir, addition, { sink: (chunk) => held.push(chunk), signal });
    await store.addTempRoots([info.path], { signal }); // before the question: from here on no collector takes it
    if (await store.isValidPath(info.path, { signal })) return info;
    await checkReferences(store, info, signal);
    const location = await held.finish();
    const [outcome] = await store.registerStaged([{ info, location }], { signal });
    if (outcome?.state === 'failed') throw outcome.error;
    return info;
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(problem, error, UNREADABLE);
  }
}

async function checkReferences(
  store: LocalStore,
  { references }: PathInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (references.length === 0) return;
  await store.addTempRoots(references, { signal });
  const valid = await store.queryValidPaths(references, { signal });
  const missing = references.find((reference) => !valid.has(reference));
  if (missing !== undefined) throw new InvalidPathError(printStorePath(store.storeDir, missing), store.uri);
}

/** A NAR on its way into the store: in memory first, and in a staging directory as soon as it is too large for that. */
class HeldNar implements AsyncDisposable {
  readonly #store: LocalStore;
  readonly #resources = new AsyncDisposableStack();
  #chunks: Uint8Array[] = [];
  #size = 0;
  #unpacking: { readonly location: string; readonly restorer: NarRestorer } | undefined;

  constructor(store: LocalStore) {
    this.#store = store;
  }

  push(chunk: Uint8Array): void | Promise<void> {
    if (this.#unpacking !== undefined) return this.#unpacking.restorer.push(chunk);
    this.#chunks.push(Buffer.from(chunk));
    this.#size += chunk.length;
    if (this.#size > MOST_IN_MEMORY) return this.#unpack().then(() => {});
  }

  /** @returns where it lies, whole, until this is disposed. */
  async finish(): Promise<string> {
    const { location, restorer } = this.#unpacking ?? (await this.#unpack());
    restorer.finish();
    return location;
  }

  async #unpack(): Promise<{ readonly location: string; readonly restorer: NarRestorer }> {
    const { dir } = this.#resources.use(await this.#store.openStaging());
    const location = join(dir, 'added');
    const restorer = this.#resources.use(this.#store.openRestorer(location));
    for (const chunk of this.#chunks) restorer.push(chunk);
    this.#chunks = [];
    this.#unpacking = { location, restorer };
    return this.#unpacking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

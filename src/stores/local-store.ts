/**
 * The local store: a directory of store objects and Nix's own database of them, shared with every Nix from 2.8 on.
 *
 * Nothing is opened before it is needed. Who only reads NARs, as worker threads do, pays for neither SQLite nor libc.
 *
 * Source: Nix 2.35 manual, "Local Store"; libstore/local-store.cc.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidPathError, StoreError } from '../errors.ts';
import type { Derivation } from '../formats/derivation.ts';
import type { InputHash } from '../formats/derivation-hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { StoreReference } from '../formats/store-reference.ts';
import type { Registration } from '../formats/validity-registration.ts';
import type { Settings } from '../settings.ts';
import { type AddPathOptions, addPath, addTextToStore } from './add-path.ts';
import { addToStore } from './add-to-store.ts';
import { pourLogFile } from './build-log/log-file.ts';
import type { LogStore } from './build-log.ts';
import type { StoreDatabase } from './database.ts';
import { DerivationReader } from './derivations.ts';
import { type SpaceClaim, SpaceClaims } from './free-space.ts';
import { asStoreError } from './fs-errors.ts';
import { addIndirectRoot } from './gc/indirect-root.ts';
import { type LocalStoreLayout, layoutOf } from './local-store-layout.ts';
import { type LocalStoreState, openLocalStoreState, type WritableState } from './local-store-state.ts';
import { dumpNar, NarRestorer } from './nar-fs.ts';
import { linksOf } from './optimise/links.ts';
import { isWorthKeeping, partialLocation } from './partial-location.ts';
import { tryLockPath } from './path-locks.ts';
import { type Ask, queryClosure, queryPathInfos, queryStep } from './query-closure.ts';
import { queryAllValidPaths, queryValidPaths } from './query-valid-paths.ts';
import { type RegisterOptions, type RegisterOutcome, registerStaged } from './register.ts';
import { type OwnConnection, openOwnConnection } from './registrations/connection.ts';
import { readRegistrations } from './registrations/dump.ts';
import { type LoadContext, type LoadResult, loadRegistrations } from './registrations/load.ts';
import { lockPath, replacePath } from './replace-path.ts';
import { whenFree } from './sqlite.ts';
import type { StagedPath } from './staged-path.ts';
import { openStaging, removeStaleStaging, type Staging } from './staging.ts';
import type { NarOptions, NarSource, QueryOptions, Sink } from './store.ts';
import type { Step, StoreTotals } from './store-queries.ts';

export type { RegisterOptions, RegisterOutcome } from './register.ts';
export type { StagedPath } from './staged-path.ts';

/**
 * Opens the local store that a reference names: `local`, `local?root=DIR`, or a directory.
 *
 * @param settings - of these `fsync-metadata` and `fsync-store-paths` are used.
 * @throws {UsageError} on an unknown parameter. What is wrong with the store itself shows when it is first used.
 */
export async function openLocalStore(reference: StoreReference, settings: Settings): Promise<LocalStore> {
  return new LocalStore(layoutOf(reference), settings);
}

export class LocalStore implements LogStore {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Where store paths really lie. */
  readonly realStoreDir: string;
  /** Where database, roots and locks are. */
  readonly stateDir: string;
  /** Where logs of builds are. */
  readonly logDir: string;
  readonly #layout: LocalStoreLayout;
  readonly #settings: Settings;
  readonly #derivations = new DerivationReader(this);
  #state: Promise<LocalStoreState> | undefined;
  #writableState: Promise<WritableState> | undefined;
  readonly #space: SpaceClaims;
  #swept: Promise<void> | undefined;

  /** Use {@link openLocalStore}. */
  constructor(layout: LocalStoreLayout, settings: Settings) {
    this.uri = layout.uri;
    this.openUri = layout.uri;
    this.storeDir = layout.storeDir;
    this.realStoreDir = layout.realStoreDir;
    this.stateDir = layout.stateDir;
    this.logDir = layout.logDir;
    this.#layout = layout;
    this.#settings = settings;
    this.#space = new SpaceClaims({ directory: layout.realStoreDir });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const state = await this.#state?.catch(() => undefined);
    await state?.[Symbol.asyncDispose]();
  }

  /**
   * Opens the store, which otherwise happens with the first question.
   *
   * @returns whether it may be changed.
   */
  async open(): Promise<{ readonly writable: boolean }> {
    const { writable } = await this.#open();
    return { writable: writable !== undefined };
  }

  /** Where a store path really lies, valid or not. */
  realPath(path: StorePath): string {
    return join(this.realStoreDir, path);
  }

  /** @throws {StoreError} where the store cannot be opened, as every method that asks the database does. */
  async queryPathInfo(path: StorePath, { signal }: QueryOptions = {}): Promise<PathInfo | undefined> {
    return await this.#query((database) => database.queryPathInfo(path), signal);
  }

  async isValidPath(path: StorePath, { signal }: QueryOptions = {}): Promise<boolean> {
    return await this.#query((database) => database.isValidPath(path), signal);
  }

  /** Those of `paths` that are valid. Made for many thousands. */
  async queryValidPaths(paths: Iterable<StorePath>, { signal }: QueryOptions = {}): Promise<Set<StorePath>> {
    return await queryValidPaths((question) => this.#query(question, signal), paths, signal);
  }

  /** In the order in which they were registered. */
  async queryAllValidPaths({ signal }: QueryOptions = {}): Promise<StorePath[]> {
    return await queryAllValidPaths((question) => this.#query(question, signal), signal);
  }

  /** The valid paths that refer to `path`, sorted; it may be one of them. */
  async queryReferrers(path: StorePath, { signal }: QueryOptions = {}): Promise<StorePath[]> {
    return await this.#query((database) => database.queryReferrers(path), signal);
  }

  /** What is known of those of `paths` that are valid. Made for many thousands. */
  async queryPathInfos(paths: Iterable<StorePath>, options: QueryOptions = {}): Promise<Map<StorePath, PathInfo>> {
    return await queryPathInfos(this.#ask(options), paths);
  }

  /** What is known of the paths to which one step leads from `paths`. */
  async queryStep(
    paths: Iterable<StorePath>,
    step: Step,
    options: QueryOptions = {},
  ): Promise<Map<StorePath, PathInfo>> {
    return await queryStep(this.#ask(options), paths, step);
  }

  /** What is known of `paths` and of all that these steps lead to from there; what is not valid is left out. */
  async queryClosure(
    paths: Iterable<StorePath>,
    steps: readonly Step[] = ['references'],
    options: QueryOptions = {},
  ): Promise<Map<StorePath, PathInfo>> {
    return await queryClosure(this.#ask(options), paths, steps);
  }

  /** Valid derivations of which any of `paths` is an output, sorted; the paths need not be valid. */
  async queryValidDerivers(paths: readonly StorePath[], options: QueryOptions = {}): Promise<StorePath[]> {
    return await this.#ask(options)((queries) => queries.validDeriversOf(paths));
  }

  /** All valid paths, sorted, some at a time: the state of the database when the first are asked for. */
  async *readRegistrations({ signal }: QueryOptions = {}): AsyncGenerator<readonly Registration[]> {
    using own = await this.#openOwnConnection();
    yield* readRegistrations(own.connection, this.storeDir, signal);
  }

  /** Registers what a text says is valid, all of it or nothing: see {@link loadRegistrations}. */
  async loadRegistrations(text: AsyncIterable<Uint8Array>, { signal }: QueryOptions = {}): Promise<LoadResult> {
    const { libc, tempRoots } = await this.#writable();
    using own = await this.#openOwnConnection();
    const { uri, storeDir, realStoreDir } = this;
    const { fsyncStorePaths } = this.#settings;
    const protect: LoadContext['protect'] = (paths) => tempRoots.add(paths, signal);
    const context = { ...own, uri, storeDir, realStoreDir, libc, fsyncStorePaths, protect };
    return await loadRegistrations(text, context, signal);
  }

  async queryTotals(options: QueryOptions = {}): Promise<StoreTotals> {
    return await this.#ask(options)((queries) => queries.totals());
  }

  /** @param hashPart - the 32 nix32 digits that a store path starts with. */
  async queryPathFromHashPart(hashPart: string, { signal }: QueryOptions = {}): Promise<StorePath | undefined> {
    return await this.#query((database) => database.queryPathFromHashPart(hashPart), signal);
  }

  /**
   * Reads a valid derivation: see {@link DerivationReader}.
   *
   * @throws {InvalidPathError} on one that is not valid.
   */
  async readDerivation(path: StorePath, { signal }: QueryOptions = {}): Promise<Derivation> {
    if (await this.isValidPath(path, { signal })) return await this.#derivations.readDerivation(path, { signal });
    throw new InvalidPathError(printStorePath(this.storeDir, path), this.uri);
  }

  /** What stands for valid derivations in the hashes of those that need them. */
  async hashDerivations(derivations: Iterable<StorePath>, { signal }: QueryOptions = {}): Promise<InputHash> {
    return await this.#derivations.hashDerivations(derivations, { signal });
  }

  /**
   * Reads the path's files, without asking the database whether it is valid: the receiver checks what it gets.
   *
   * @throws {InvalidPathError} where nothing is there.
   */
  async narFromPath({ path }: PathInfo, sink: Sink, { signal, onDownload }: NarOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const realPath = this.realPath(path);
    if (lstatSync(realPath, { throwIfNoEntry: false }) === undefined) {
      throw new InvalidPathError(printStorePath(this.storeDir, path), this.uri);
    }
    await dumpNar(realPath, (chunk) => {
      signal?.throwIfAborted();
      onDownload?.(chunk.length);
      return sink(chunk);
    });
  }

  async addToStore(info: PathInfo, nar: NarSource, { signal }: QueryOptions = {}): Promise<void> {
    await addToStore(this, info, nar, signal);
  }

  /** What a NAR is unpacked with at `location`, in a staging directory of this store. */
  openRestorer(location: string): NarRestorer {
    return new NarRestorer(location, this.#settings.autoOptimiseStore ? linksOf(this.realStoreDir) : undefined);
  }

  /**
   * Makes a copy of a file or a tree valid, under the path that follows from its contents. It is read once, on the
   * calling thread, and nothing is written where that path is valid already.
   *
   * @returns what is known of the path.
   * @throws {StoreError} on what cannot be read, {@link FormatError} on a name that no store path has.
   */
  async addPath(path: string, options?: AddPathOptions): Promise<PathInfo> {
    return await addPath(this, path, options);
  }

  /**
   * Makes a file with this text valid, as `builtins.toFile` does.
   *
   * @param references - what the text refers to; must be valid.
   */
  async addTextToStore(
    name: string,
    text: string | Uint8Array,
    references: readonly StorePath[] = [],
    { signal }: QueryOptions = {},
  ): Promise<PathInfo> {
    return await addTextToStore(this, name, text, references, signal);
  }

  /**
   * Keeps paths from being collected until this store is disposed, whether they are valid already or not.
   * Who finds a path valid and goes on to use it protects it first and asks then.
   */
  async addTempRoots(paths: Iterable<StorePath>, { signal }: QueryOptions = {}): Promise<void> {
    const { tempRoots } = await this.#writable();
    await tempRoots.addPaths(this.storeDir, paths, signal);
  }

  /** Makes a symlink to a path, and that a root: see {@link addIndirectRoot}. */
  async addIndirectRoot(link: string, path: StorePath): Promise<string> {
    const { tempRoots } = await this.#writable();
    const full = [printStorePath(this.storeDir, path)];
    await tempRoots.add(full);
    const file = await addIndirectRoot(this, link, path);
    await tempRoots.tellAgain(full);
    return file;
  }

  /**
   * Opens a directory on the store's file system to unpack into. The first call of a store also removes what killed
   * processes left.
   *
   * @throws {StoreError} where the store directory cannot be written to.
   */
  async openStaging(): Promise<Staging> {
    await this.removeStaleStaging();
    const { libc, tempRoots } = await this.#writable();
    const { realStoreDir, storeDir } = this;
    return await openStaging({
      realStoreDir,
      libc,
      protect: (name) => tempRoots.add([printStorePath(storeDir, name)]),
    });
  }

  /** Removes the staging directories that killed processes left; it is done once, whoever calls it. */
  async removeStaleStaging(): Promise<void> {
    const { libc } = await this.#writable();
    this.#swept ??= removeStaleStaging(this.realStoreDir, libc);
    await this.#swept;
  }

  /**
   * Claims room for what a path holds, on the disk of this store.
   *
   * @throws {StoreError} where there is none, also after `makeRoom`, which is told how many bytes are needed in all.
   */
  async claimSpace(
    path: StorePath,
    narSize: number,
    makeRoom?: (needed: number) => Promise<void>,
  ): Promise<SpaceClaim> {
    // Files that are there already become links, which need no room.
    const size = this.#settings.autoOptimiseStore ? 0 : narSize;
    return await this.#space.claim({ subject: `'${printStorePath(this.storeDir, path)}'`, size, makeRoom });
  }

  async pourBuildLog(drvPath: StorePath, sink: Sink, options?: QueryOptions): Promise<boolean> {
    return await pourLogFile(this.logDir, drvPath, sink, options);
  }

  /** A file name for the part of a large download that a killed process leaves to the next: see {@link partialLocation}. */
  async partialLocation(info: PathInfo): Promise<string | undefined> {
    if (!isWorthKeeping(info)) return undefined;
    const { libc } = await this.#writable();
    return await partialLocation({ stateDir: this.stateDir, libc, space: this.#space }, info);
  }

  /** Makes staged paths valid: see {@link registerStaged}. Calls may overlap. */
  async registerStaged(batch: readonly StagedPath[], options?: RegisterOptions): Promise<readonly RegisterOutcome[]> {
    const writable = await this.#writable();
    const { database } = await this.#open();
    const { storeDir, realStoreDir } = this;
    const { fsyncStorePaths } = this.#settings;
    const derivations = this.#derivations;
    const context = { ...writable, database, derivations, storeDir, realStoreDir, fsyncStorePaths };
    return await registerStaged(context, batch, options);
  }

  /**
   * Takes the lock of a path where it is free: see {@link tryLockPath}.
   *
   * @throws {StoreError} where it cannot be locked.
   */
  async tryLockPath(path: StorePath): Promise<Disposable | undefined> {
    const { libc } = await this.#writable();
    try {
      return tryLockPath(libc, this.realPath(path));
    } catch (error) {
      throw asStoreError(`cannot lock '${printStorePath(this.storeDir, path)}'`, error);
    }
  }

  /** Waits for the lock of a path, under which its contents may be replaced: see {@link lockPath}. */
  async lockPath(path: StorePath, { signal }: QueryOptions = {}): Promise<Disposable> {
    const { libc } = await this.#writable();
    return await lockPath(libc, this.realPath(path), signal);
  }

  /**
   * Puts staged contents in the place of those of a valid path, whose lock the caller holds: see {@link replacePath}.
   *
   * @param info - of the new contents, where they are other ones than were registered: see {@link StoreDatabase.update}.
   */
  async replacePath(path: StorePath, location: string, info?: PathInfo): Promise<void> {
    const { libc } = await this.#writable();
    const { fsyncStorePaths } = this.#settings;
    await replacePath({ libc, realStoreDir: this.realStoreDir, fsyncStorePaths }, this.realPath(path), location);
    if (info !== undefined) await this.#query((database) => database.write(() => database.update(info)), undefined);
  }

  #open(): Promise<LocalStoreState> {
    this.#state ??= openLocalStoreState(this.#layout, this.#settings);
    return this.#state;
  }

  async #query<T>(action: (database: StoreDatabase) => T, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const { database } = await this.#open();
    return await whenFree(() => action(database), signal, database.file);
  }

  async #openOwnConnection(): Promise<OwnConnection> {
    const { writable } = await this.open();
    const { fsyncMetadata } = this.#settings;
    return await openOwnConnection({ stateDir: this.stateDir, readOnly: !writable, fsyncMetadata });
  }

  #ask({ signal }: QueryOptions): Ask {
    return (question) => this.#query((database) => question(database.queries), signal);
  }

  #writable(): Promise<WritableState> {
    this.#writableState ??= this.#openWritable();
    return this.#writableState;
  }

  async #openWritable(): Promise<WritableState> {
    const { writable } = await this.#open();
    if (writable === undefined) throw new StoreError(`store '${this.uri}' is open for reading only`);
    return writable;
  }
}

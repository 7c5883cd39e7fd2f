/**
 * A binary cache: `nix-cache-info` says which cache it is, `HASH.narinfo` what it knows of a path, and the URL in there
 * where its NAR is. What the files lie on is the transport's business.
 *
 * Source: Nix 2.35 libstore/binary-cache-store.cc.
 */
import { InvalidPathError, SubstituteGoneError } from '../errors.ts';
import { isNarInfo, type NarInfo } from '../formats/narinfo.ts';
import type { NixCacheInfo } from '../formats/nix-cache-info.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { withoutCredentials } from '../formats/store-reference.ts';
import { CacheInfo } from './binary-cache/cache-info.ts';
import type { Memory } from './binary-cache/memory.ts';
import { downloadNar } from './binary-cache/nar-download.ts';
import { NarInfos } from './binary-cache/nar-infos.ts';
import { CacheWriter, type WriteOptions } from './binary-cache/writer.ts';
import type { BinaryCacheOptions } from './binary-cache-params.ts';
import type { LogStore } from './build-log.ts';
import type { CacheTransport } from './cache-transport.ts';
import type { InfoOptions, NarOptions, NarSource, QueryOptions, Sink } from './store.ts';

export class BinaryCacheStore implements LogStore {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Whether its paths are taken without a signature. */
  readonly trusted: boolean;
  /** Whether it is on a disk of this machine. */
  readonly isLocal: boolean;
  readonly #transport: CacheTransport;
  readonly #options: BinaryCacheOptions;
  readonly #cacheInfo: CacheInfo;
  readonly #narInfos: NarInfos;
  readonly #writer: CacheWriter;

  /**
   * Nothing is read before it is needed.
   *
   * @param openUri - with credentials, if there are any.
   * @param transport - is the store's own from here on.
   */
  constructor(openUri: string, transport: CacheTransport, options: BinaryCacheOptions, memory: Memory) {
    this.uri = withoutCredentials(openUri);
    this.openUri = openUri;
    this.storeDir = options.storeDir;
    this.trusted = options.trusted;
    this.isLocal = transport.isLocal ?? false;
    this.#transport = transport;
    this.#options = options;
    this.#cacheInfo = new CacheInfo(transport, options.storeDir, memory);
    this.#narInfos = new NarInfos(transport, options.storeDir, this.#cacheInfo, memory);
    this.#writer = new CacheWriter(transport, options, this.#cacheInfo);
  }

  /**
   * What the cache says of itself, or the URI in its place.
   *
   * @throws {StoreError} on a cache of another store directory, and where there is no cache.
   */
  async queryCacheInfo(options?: QueryOptions): Promise<NixCacheInfo> {
    return this.#overrule(await this.#cacheInfo.query(options));
  }

  /**
   * The same as far as it is known without asking the cache: from its URI, or from an earlier run.
   *
   * @returns undefined where the priority is not known.
   */
  async knownCacheInfo(): Promise<NixCacheInfo | undefined> {
    const info = await this.#cacheInfo.known();
    return info === undefined && this.#options.priority === undefined ? undefined : this.#overrule(info);
  }

  queryPathInfo(path: StorePath, options?: InfoOptions): Promise<NarInfo | undefined> {
    return this.#narInfos.query(path, options);
  }

  /**
   * What was said of the path has turned out to be wrong: the next one who asks gets what the cache says then.
   *
   * @returns whether that may be something else: false where the cache was asked just now, and not remembered.
   */
  forget(path: StorePath): boolean {
    return this.#narInfos.forget(path);
  }

  async isValidPath(path: StorePath, options?: QueryOptions): Promise<boolean> {
    return (await this.queryPathInfo(path, options)) !== undefined;
  }

  async narFromPath(info: PathInfo, sink: Sink, options: NarOptions = {}): Promise<void> {
    const narInfo = isNarInfo(info) ? info : await this.queryPathInfo(info.path, options);
    if (narInfo === undefined) throw new InvalidPathError(this.#print(info.path), this.uri);
    try {
      await downloadNar(this.#transport, narInfo, this.#print(info.path), sink, options);
    } catch (error) {
      if (error instanceof SubstituteGoneError) this.forget(info.path);
      throw error;
    }
  }

  async pourBuildLog(drvPath: StorePath, sink: Sink, options: QueryOptions = {}): Promise<boolean> {
    try {
      await this.#transport.streamFile(`log/${drvPath}`, sink, options);
      return true;
    } catch (error) {
      if (error instanceof SubstituteGoneError) return false;
      throw error;
    }
  }

  async addToStore(info: PathInfo, nar: NarSource, options: QueryOptions = {}): Promise<void> {
    await this.prepareToWrite();
    if (await this.isValidPath(info.path, options)) return;
    await this.#checkReferences(info, options); // before the work, which would be for nothing
    await this.writeNarInfo(await this.writeNar(info, nar, options), options);
  }

  /**
   * Makes sure that there is a cache to write to.
   *
   * @throws {StoreError} where it can only be read.
   */
  async prepareToWrite(): Promise<void> {
    await this.#writer.prepare();
  }

  /**
   * The first half of {@link BinaryCacheStore.addToStore}: compresses the NAR into the cache. Nobody sees it yet.
   *
   * @returns what is to be announced by {@link BinaryCacheStore.writeNarInfo}, be it in another thread.
   * @throws {HashMismatchError} when the bytes are not `info.narHash` and `info.narSize`; nothing is kept then.
   */
  writeNar(info: PathInfo, nar: NarSource, options?: WriteOptions): Promise<NarInfo> {
    return this.#writer.writeNar(info, nar, options);
  }

  /**
   * The second half of {@link BinaryCacheStore.addToStore}: signs and writes the narinfo, which makes the path valid.
   *
   * @param narInfo - as {@link BinaryCacheStore.writeNar} answered it; its references must be valid already.
   */
  async writeNarInfo(narInfo: NarInfo, options: QueryOptions = {}): Promise<void> {
    await this.#checkReferences(narInfo, options);
    this.#narInfos.written(await this.#writer.writeNarInfo(narInfo, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  async #checkReferences(info: PathInfo, options: QueryOptions): Promise<void> {
    for (const reference of info.references) {
      // Somebody else may have written it since it was asked for last.
      const asked = { ...options, maxNegativeAge: 0 };
      if (reference === info.path || (await this.queryPathInfo(reference, asked)) !== undefined) continue;
      const hint = `add it first: '${this.#print(info.path)}' refers to it`;
      throw new InvalidPathError(this.#print(reference), this.uri, { hint });
    }
  }

  #overrule(info: NixCacheInfo | undefined): NixCacheInfo {
    const { storeDir, priority, wantMassQuery } = this.#options;
    return {
      storeDir,
      priority: priority ?? info?.priority,
      wantMassQuery: wantMassQuery ?? info?.wantMassQuery ?? false,
    };
  }

  #print(path: StorePath): string {
    return printStorePath(this.storeDir, path);
  }
}

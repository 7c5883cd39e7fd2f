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
import { downloadNar } from './binary-cache/nar-download.ts';
import { NarInfos } from './binary-cache/nar-infos.ts';
import { CacheWriter } from './binary-cache/writer.ts';
import type { BinaryCacheOptions } from './binary-cache-params.ts';
import type { CacheTransport } from './cache-transport.ts';
import type { InfoOptions, NarOptions, NarSource, QueryOptions, Sink, Store } from './store.ts';

export class BinaryCacheStore implements Store {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Whether its paths are taken without a signature. */
  readonly trusted: boolean;
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
  constructor(openUri: string, transport: CacheTransport, options: BinaryCacheOptions) {
    this.uri = withoutCredentials(openUri);
    this.openUri = openUri;
    this.storeDir = options.storeDir;
    this.trusted = options.trusted;
    this.#transport = transport;
    this.#options = options;
    this.#cacheInfo = new CacheInfo(transport, options.storeDir);
    this.#narInfos = new NarInfos(transport, options.storeDir, this.#cacheInfo);
    this.#writer = new CacheWriter(transport, options, this.#cacheInfo);
  }

  /**
   * What the cache says of itself, or the URI in its place.
   *
   * @throws {StoreError} on a cache of another store directory, and where there is no cache.
   */
  async queryCacheInfo(): Promise<NixCacheInfo> {
    const { storeDir, priority, wantMassQuery } = this.#options;
    const info = await this.#cacheInfo.query();
    return {
      storeDir,
      priority: priority ?? info?.priority,
      wantMassQuery: wantMassQuery ?? info?.wantMassQuery ?? false,
    };
  }

  queryPathInfo(path: StorePath, options?: InfoOptions): Promise<NarInfo | undefined> {
    return this.#narInfos.query(path, options);
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
      if (error instanceof SubstituteGoneError) this.#narInfos.forget(info.path);
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
  writeNar(info: PathInfo, nar: NarSource, options?: QueryOptions): Promise<NarInfo> {
    return this.#writer.writeNar(info, nar, options);
  }

  /**
   * The second half of {@link BinaryCacheStore.addToStore}: signs and writes the narinfo, which makes the path valid.
   *
   * @param narInfo - as {@link BinaryCacheStore.writeNar} answered it; its references must be valid already.
   */
  async writeNarInfo(narInfo: NarInfo, options: QueryOptions = {}): Promise<void> {
    await this.#checkReferences(narInfo, options);
    this.#narInfos.remember(await this.#writer.writeNarInfo(narInfo, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  async #checkReferences(info: PathInfo, options: QueryOptions): Promise<void> {
    for (const reference of info.references) {
      if (reference === info.path || (await this.isValidPath(reference, options))) continue;
      const hint = `add it first: '${this.#print(info.path)}' refers to it`;
      throw new InvalidPathError(this.#print(reference), this.uri, { hint });
    }
  }

  #print(path: StorePath): string {
    return printStorePath(this.storeDir, path);
  }
}

/** What a binary cache says of itself, in its file `nix-cache-info`. */
import { StoreError } from '../../errors.ts';
import { MAX_NIX_CACHE_INFO_SIZE, type NixCacheInfo, parseNixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { StoreDir } from '../../formats/store-path.ts';
import type { CacheTransport } from '../cache-transport.ts';
import { SharedRequests } from '../shared-requests.ts';
import type { QueryOptions } from '../store.ts';
import { isFresh, type Memory } from './memory.ts';

export const CACHE_INFO = 'nix-cache-info';

export class CacheInfo {
  readonly #transport: CacheTransport;
  readonly #storeDir: StoreDir;
  readonly #memory: Memory;
  /** What the cache itself has said. */
  #read: NixCacheInfo | undefined;
  /** What it said in an earlier run. */
  #recalled: Promise<NixCacheInfo | undefined> | undefined;
  /** By whether they are impatient, as that decides when they fail. */
  readonly #requests = new SharedRequests<boolean, NixCacheInfo | undefined>();

  constructor(transport: CacheTransport, storeDir: StoreDir, memory: Memory) {
    this.#transport = transport;
    this.#storeDir = storeDir;
    this.#memory = memory;
  }

  /**
   * As the cache says it, or has said not long ago.
   *
   * @returns undefined where a cache is still to be made.
   * @throws {StoreError} on a cache of another store directory, and where there is no cache.
   */
  async query(options?: QueryOptions): Promise<NixCacheInfo | undefined> {
    const info = (await this.known()) ?? (await this.find(options));
    if (info !== undefined || this.#transport.mayBeNew) return info;
    throw new StoreError(`'${this.#transport.uri}' is no binary cache: it has no ${CACHE_INFO}`);
  }

  /** Whether the cache has said in this run that it is one. */
  get hasAnswered(): boolean {
    return this.#read !== undefined;
  }

  /** What is known without asking the cache. */
  known(): NixCacheInfo | undefined | Promise<NixCacheInfo | undefined> {
    if (this.#read !== undefined) return this.#read;
    this.#recalled ??= this.#recall();
    return this.#recalled;
  }

  /**
   * Reads the file, once; that there is none is not remembered, nor a failure.
   *
   * @returns undefined where there is none.
   * @throws {StoreError} on a cache of another store directory.
   */
  async find(options: QueryOptions = {}): Promise<NixCacheInfo | undefined> {
    if (this.#read !== undefined) return this.#read;
    const { impatient = false, onRetry } = options;
    return await this.#requests.run(impatient, options.signal, async (signal) => {
      const info = await this.#fetch({ signal, impatient, onRetry });
      if (info === undefined) return undefined;
      this.#read = info;
      this.#memory.remembered?.rememberCacheInfo(info);
      return info;
    });
  }

  /** A cache has been made, which says this of itself. */
  made(info: NixCacheInfo): void {
    this.#read = info;
  }

  /** Only what had the right store directory has been remembered under it. */
  async #recall(): Promise<NixCacheInfo | undefined> {
    const { remembered, settings, now = Date.now } = this.#memory;
    const found = await remembered?.cacheInfo();
    return found !== undefined && isFresh(found, now(), settings.narinfoCacheMetaTtl) ? found.value : undefined;
  }

  async #fetch(options: QueryOptions): Promise<NixCacheInfo | undefined> {
    const bytes = await this.#transport.getFile(CACHE_INFO, MAX_NIX_CACHE_INFO_SIZE, options);
    if (bytes === undefined) return undefined;
    const info = parseNixCacheInfo(Buffer.from(bytes).toString());
    if (info.storeDir !== undefined && info.storeDir !== this.#storeDir) {
      throw new StoreError(
        `binary cache '${this.#transport.uri}' is for the store directory '${info.storeDir}', not '${this.#storeDir}'`,
        { hint: `parameter 'store' says which one is wanted: ?store=${info.storeDir}` },
      );
    }
    return info;
  }
}

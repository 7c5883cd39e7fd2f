/** What a binary cache says of itself, in its file `nix-cache-info`. */
import { StoreError } from '../../errors.ts';
import { MAX_NIX_CACHE_INFO_SIZE, type NixCacheInfo, parseNixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { StoreDir } from '../../formats/store-path.ts';
import type { CacheTransport } from '../cache-transport.ts';

export const CACHE_INFO = 'nix-cache-info';

export class CacheInfo {
  readonly #transport: CacheTransport;
  readonly #storeDir: StoreDir;
  #read: Promise<NixCacheInfo | undefined> | undefined;

  constructor(transport: CacheTransport, storeDir: StoreDir) {
    this.#transport = transport;
    this.#storeDir = storeDir;
  }

  /**
   * @returns undefined where a cache is still to be made.
   * @throws {StoreError} on a cache of another store directory, and where there is no cache.
   */
  async query(): Promise<NixCacheInfo | undefined> {
    const info = await this.find();
    if (info !== undefined || this.#transport.mayBeNew) return info;
    throw new StoreError(`'${this.#transport.uri}' is no binary cache: it has no ${CACHE_INFO}`);
  }

  /**
   * Reads it, once; that there is none is not remembered, nor a failure.
   *
   * @returns undefined where there is none.
   * @throws {StoreError} on a cache of another store directory.
   */
  find(): Promise<NixCacheInfo | undefined> {
    if (this.#read === undefined) {
      const read = this.#fetch();
      this.#read = read;
      const forget = (): void => {
        this.#read = undefined;
      };
      read.then((info) => info ?? forget(), forget);
    }
    return this.#read;
  }

  /** A cache has been made, which says this of itself. */
  made(info: NixCacheInfo): void {
    this.#read = Promise.resolve(info);
  }

  async #fetch(): Promise<NixCacheInfo | undefined> {
    const bytes = await this.#transport.getFile(CACHE_INFO, MAX_NIX_CACHE_INFO_SIZE);
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

/** What is kept of binary caches from one run to the next, as a store sees it. */
import type { NixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { StoreDir } from '../../formats/store-path.ts';

/** What a cache said, and when. */
export interface Remembered<T> {
  readonly value: T;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What is remembered of one cache. How long it counts is for the one who asks to decide. */
export interface RememberedCache {
  /** What the cache said of itself. */
  cacheInfo(): Promise<Remembered<NixCacheInfo> | undefined>;
  rememberCacheInfo(info: NixCacheInfo): void;

  /**
   * The narinfo of a path.
   *
   * @returns undefined where nothing is known; `value` is undefined where the cache did not have the path.
   */
  narInfo(hashPart: string): Promise<Remembered<string | undefined> | undefined>;

  /** @param text - as the cache had it; undefined where it does not have the path. */
  rememberNarInfo(hashPart: string, text: string | undefined): void;

  forgetNarInfo(hashPart: string): void;
}

/** What is remembered of all caches. */
export interface NarInfoCache extends Disposable {
  /**
   * @param url - of the cache, without credentials.
   * @param storeDir - for which it is asked.
   */
  of(url: string, storeDir: StoreDir): RememberedCache;
}

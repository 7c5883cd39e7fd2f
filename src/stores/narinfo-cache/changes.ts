/**
 * What has been learned of binary caches and is still to be written: all of a tenth of a second in one transaction.
 * With every batch goes a step of keeping the file small, so that nobody is held up by that either.
 */
import type { NixCacheInfo } from '../../formats/nix-cache-info.ts';
import type { Settings } from '../../settings.ts';
import type { CacheKey, NarInfoChange, NarInfoDatabase } from './database.ts';
import type { NarInfoFile } from './file.ts';
import type { Remembered } from './remembered-cache.ts';

/** Rows that are written or deleted at once: a few milliseconds. */
const BATCH = 500;
/** Milliseconds from what is learned to its writing. */
const DELAY = 100;
/** Milliseconds that the last batches may each hold up the thread while another process writes. */
const LAST_PATIENCE = 100;
/** What may wait; beyond that nothing more is remembered. */
const MAX_WAITING = 50_000;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export type PurgeSettings = Pick<Settings, 'narinfoCacheNegativeTtl' | 'narinfoCachePositiveTtl'>;

export interface ChangesOptions {
  readonly settings: PurgeSettings;
  /** Narinfos that are kept at most; the oldest go. */
  readonly maxRows: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Changes implements Disposable {
  readonly #file: NarInfoFile;
  readonly #options: ChangesOptions;
  /** The last word on each narinfo, by {@link keyOf}. */
  readonly #narInfos = new Map<string, NarInfoChange>();
  readonly #cacheInfos = new Map<CacheKey, Remembered<NixCacheInfo>>();
  #timer: NodeJS.Timeout | undefined;
  #nextPurge: number | undefined;

  constructor(file: NarInfoFile, options: ChangesOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** What waits to be written of a narinfo. */
  ofNarInfo(cache: CacheKey, hashPart: string): NarInfoChange | undefined {
    return this.#narInfos.get(keyOf(cache, hashPart));
  }

  ofCacheInfo(cache: CacheKey): Remembered<NixCacheInfo> | undefined {
    return this.#cacheInfos.get(cache);
  }

  addNarInfo(change: NarInfoChange): void {
    const key = keyOf(change.cache, change.hashPart);
    if (!this.#file.isUsable || (this.#narInfos.size >= MAX_WAITING && !this.#narInfos.has(key))) return;
    this.#narInfos.set(key, change);
    this.#writeIn(DELAY);
  }

  addCacheInfo(cache: CacheKey, info: Remembered<NixCacheInfo>): void {
    if (!this.#file.isUsable) return;
    this.#cacheInfos.set(cache, info);
    this.#writeIn(DELAY);
  }

  /** Writes what is left. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    if (this.#isEmpty) return;
    this.#file.attempt((database) => database.waitWhenBusy(LAST_PATIENCE));
    while (!this.#isEmpty && this.#writeBatch());
  }

  get #isEmpty(): boolean {
    return this.#narInfos.size === 0 && this.#cacheInfos.size === 0;
  }

  #writeIn(milliseconds: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const isWritten = this.#writeBatch();
      if (!this.#isEmpty) this.#writeIn(isWritten ? 0 : DELAY);
    }, milliseconds).unref();
  }

  /** @returns false where what was to be written waits on. */
  #writeBatch(): boolean {
    const narInfos = [...this.#narInfos.entries().take(BATCH)];
    const cacheInfos = [...this.#cacheInfos];
    const write = (database: NarInfoDatabase): void => {
      for (const [cache, info] of cacheInfos) database.setCacheInfo(cache, info);
      for (const [, change] of narInfos) database.change(change);
      this.#tidy(database);
    };
    const written = this.#file.attempt((database) => database.transaction(() => write(database), { writes: true }));
    if (written === undefined && this.#file.isUsable) return false;
    for (const [key] of narInfos) this.#narInfos.delete(key);
    for (const [cache] of cacheInfos) this.#cacheInfos.delete(cache);
    return true;
  }

  #tidy(database: NarInfoDatabase): void {
    const { maxRows, settings } = this.#options;
    const now = this.#options.now();
    database.limit(maxRows, BATCH);
    this.#nextPurge ??= Math.min(database.lastPurge() ?? 0, now) + DAY;
    if (now < this.#nextPurge) return;
    const limits = {
      negative: now - Math.max(settings.narinfoCacheNegativeTtl * 1000, HOUR),
      positive: now - Math.max(settings.narinfoCachePositiveTtl * 1000, 30 * DAY),
    };
    if (database.purge(limits, BATCH) > 0) return; // there may be more
    database.purged(now);
    this.#nextPurge = now + DAY;
  }
}

function keyOf({ url, storeDir }: CacheKey, hashPart: string): string {
  return `${hashPart} ${storeDir} ${url}`;
}

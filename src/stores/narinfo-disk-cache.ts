/**
 * What binary caches said, remembered in a file from one run to the next. Any number of processes use it at once, and
 * nobody waits for another: while that writes, nothing is known, and what was learned is written later.
 *
 * Source: Nix 2.35 libstore/nar-info-disk-cache.cc, for what is remembered and for how long.
 */
import { debuglog } from 'node:util';
import type { NixCacheInfo } from '../formats/nix-cache-info.ts';
import type { StoreDir } from '../formats/store-path.ts';
import { Changes, type PurgeSettings } from './narinfo-cache/changes.ts';
import type { CacheKey } from './narinfo-cache/database.ts';
import { NarInfoFile } from './narinfo-cache/file.ts';
import { Lookups } from './narinfo-cache/lookups.ts';
import type { NarInfoCache, Remembered, RememberedCache } from './narinfo-cache/remembered-cache.ts';

export type { NarInfoCache, Remembered, RememberedCache } from './narinfo-cache/remembered-cache.ts';

/** In characters: a longer narinfo is not remembered. */
const MAX_TEXT = 64 * 1024;
/** Some 200 MB. */
const MAX_ROWS = 200_000;

export interface NarInfoCacheOptions {
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Told at most once, where the file cannot be used; by default NODE_DEBUG=sluice prints it. */
  readonly onUnusable?: ((message: string) => void) | undefined;
  /** Narinfos that are kept at most; the oldest go. */
  readonly maxRows?: number | undefined;
}

/**
 * Nothing is opened before it is needed. Disposing writes what has been learned.
 *
 * @param file - is made with its directory, where it is missing.
 * @param settings - what is older than they say is deleted.
 */
export function openNarInfoCache(
  file: string,
  settings: PurgeSettings,
  options: NarInfoCacheOptions = {},
): NarInfoCache {
  const { now = Date.now, maxRows = MAX_ROWS, onUnusable = debuglog('sluice') } = options;
  const opened = new DisposableStack();
  const narInfoFile = opened.use(new NarInfoFile(file, (message) => onUnusable(message)));
  const changes = opened.use(new Changes(narInfoFile, { settings, maxRows, now }));
  const lookups = opened.use(new Lookups(narInfoFile));
  const caches = new Map<string, RememberedCache>();
  return {
    of(url: string, storeDir: StoreDir): RememberedCache {
      const id = `${storeDir} ${url}`;
      const cache = caches.get(id) ?? new CacheOnDisk({ url, storeDir }, { file: narInfoFile, changes, lookups, now });
      caches.set(id, cache);
      return cache;
    },
    [Symbol.dispose]: () => opened.dispose(),
  };
}

interface Parts {
  readonly file: NarInfoFile;
  readonly changes: Changes;
  readonly lookups: Lookups;
  readonly now: () => number;
}

/** What is remembered of one cache. What is still to be written counts already. */
class CacheOnDisk implements RememberedCache {
  readonly #key: CacheKey;
  readonly #parts: Parts;

  constructor(key: CacheKey, parts: Parts) {
    this.#key = key;
    this.#parts = parts;
  }

  async cacheInfo(): Promise<Remembered<NixCacheInfo> | undefined> {
    const { file, changes } = this.#parts;
    const learned = changes.ofCacheInfo(this.#key);
    if (learned !== undefined || !file.mayHaveContents) return learned;
    return file.attempt((database) => database.cacheInfo(this.#key))?.value;
  }

  rememberCacheInfo(value: NixCacheInfo): void {
    const { changes, now } = this.#parts;
    changes.addCacheInfo(this.#key, { value, since: now() });
  }

  async narInfo(hashPart: string): Promise<Remembered<string | undefined> | undefined> {
    const { changes, lookups } = this.#parts;
    const change = changes.ofNarInfo(this.#key, hashPart);
    return change === undefined ? await lookups.ask(this.#key, hashPart) : change.answer;
  }

  rememberNarInfo(hashPart: string, text: string | undefined): void {
    const { changes, now } = this.#parts;
    const isTooLong = text !== undefined && text.length > MAX_TEXT;
    changes.addNarInfo({
      cache: this.#key,
      hashPart,
      answer: isTooLong ? undefined : { value: text, since: now() },
    });
  }

  forgetNarInfo(hashPart: string): void {
    this.#parts.changes.addNarInfo({ cache: this.#key, hashPart, answer: undefined });
  }
}

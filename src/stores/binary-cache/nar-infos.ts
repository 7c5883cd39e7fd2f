/**
 * What a binary cache knows of paths: its narinfo files, each asked for once and then remembered, and so is that there
 * is none. First comes the memory of this store, then that of earlier runs, then the cache itself.
 */
import { FormatError } from '../../errors.ts';
import { MAX_NARINFO_SIZE, type NarInfo, parseNarInfo } from '../../formats/narinfo.ts';
import { hashPart, printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import type { CacheTransport } from '../cache-transport.ts';
import { LruMap } from '../lru-map.ts';
import type { Remembered } from '../narinfo-cache/remembered-cache.ts';
import { SharedRequests } from '../shared-requests.ts';
import type { InfoOptions, QueryOptions } from '../store.ts';
import type { CacheInfo } from './cache-info.ts';
import { isFresh, type Memory } from './memory.ts';
import { UniquePaths } from './unique-paths.ts';

/** In seconds: what was learned longer ago may have changed since. */
const RECENT = 60;

/** `value` is undefined where the cache does not have the path. */
interface Known extends Remembered<NarInfo | undefined> {
  /** Whether an earlier run has learned it. */
  readonly recalled: boolean;
}

export class NarInfos {
  readonly #transport: CacheTransport;
  readonly #storeDir: StoreDir;
  readonly #cacheInfo: CacheInfo;
  readonly #memory: Memory;
  readonly #now: () => number;
  readonly #known: LruMap<StorePath, Known>;
  readonly #paths = new UniquePaths();
  // A patient caller must not fail with an impatient one.
  readonly #patient = new SharedRequests<StorePath, NarInfo | undefined>();
  readonly #impatient = new SharedRequests<StorePath, NarInfo | undefined>();

  constructor(transport: CacheTransport, storeDir: StoreDir, cacheInfo: CacheInfo, memory: Memory) {
    this.#transport = transport;
    this.#storeDir = storeDir;
    this.#cacheInfo = cacheInfo;
    this.#memory = memory;
    this.#now = memory.now ?? Date.now;
    this.#known = new LruMap(memory.settings.pathInfoCacheSize);
  }

  /** @returns undefined where the cache does not have the path. */
  async query(path: StorePath, options: InfoOptions = {}): Promise<NarInfo | undefined> {
    let known = this.#known.get(path);
    if (!this.#counts(known, options)) known = await this.#recall(path, options);
    if (this.#counts(known, options)) {
      options.onRemembered?.();
      return known.value;
    }
    const { signal, impatient, onRetry } = options;
    const requests = impatient ? this.#impatient : this.#patient;
    return requests.run(path, signal, (signal) => this.#fetch(path, { signal, impatient, onRetry }));
  }

  /** The path has just been written into the cache. Other runs hear of it from the cache: it may not last. */
  written(info: NarInfo): void {
    this.#known.set(info.path, { value: info, since: this.#now(), recalled: false });
    this.#memory.remembered?.forgetNarInfo(hashPart(info.path));
  }

  /**
   * What was said of the path has turned out to be wrong.
   *
   * @returns whether the cache may say something else now: false where it was asked just now.
   */
  forget(path: StorePath): boolean {
    const known = this.#known.get(path);
    this.#known.delete(path);
    this.#memory.remembered?.forgetNarInfo(hashPart(path));
    return known === undefined || known.recalled || !isFresh(known, this.#now(), RECENT);
  }

  #counts(known: Known | undefined, { maxNegativeAge = Number.POSITIVE_INFINITY }: InfoOptions): known is Known {
    if (known === undefined) return false;
    const { narinfoCacheNegativeTtl, narinfoCachePositiveTtl } = this.#memory.settings;
    const lifetime =
      known.value === undefined ? Math.min(narinfoCacheNegativeTtl, maxNegativeAge) : narinfoCachePositiveTtl;
    return isFresh(known, this.#now(), lifetime);
  }

  /** From an earlier run. What was remembered in a form that cannot be read is not known. */
  async #recall(path: StorePath, { signal }: InfoOptions): Promise<Known | undefined> {
    const { narinfoCacheNegativeTtl, narinfoCachePositiveTtl } = this.#memory.settings;
    if (narinfoCacheNegativeTtl === 0 && narinfoCachePositiveTtl === 0) return undefined;
    const found = await this.#memory.remembered?.narInfo(hashPart(path));
    signal?.throwIfAborted();
    if (found === undefined) return undefined;
    const known = this.#known.get(path);
    if (known !== undefined && known.since >= found.since) return known; // learned meanwhile
    const recalled = { value: this.#tryParse(path, found.value), since: found.since, recalled: true };
    if (found.value !== undefined && recalled.value === undefined) return undefined;
    this.#known.set(path, recalled);
    return recalled;
  }

  async #fetch(path: StorePath, options: QueryOptions): Promise<NarInfo | undefined> {
    const name = narInfoName(path);
    const getting = this.#transport.getFile(name, MAX_NARINFO_SIZE, options);
    // At the same time: it is not worth a round trip.
    const bytes = this.#cacheInfo.hasAnswered ? await getting : await this.#afterCacheInfo(getting, options);
    const text = bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    const info = text === undefined ? undefined : this.#parse(path, text);
    this.#known.set(path, { value: info, since: this.#now(), recalled: false });
    this.#memory.remembered?.rememberNarInfo(hashPart(path), text);
    return info;
  }

  /** Of what is no such cache nothing counts. */
  async #afterCacheInfo<T>(getting: Promise<T>, options: QueryOptions): Promise<T> {
    const [got] = await Promise.all([getting, this.#cacheInfo.query(options)]);
    return got;
  }

  #tryParse(path: StorePath, text: string | undefined): NarInfo | undefined {
    try {
      return text === undefined ? undefined : this.#parse(path, text);
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }

  #parse(path: StorePath, text: string): NarInfo {
    const info = this.#parseText(path, text);
    if (info.path === path) {
      return { ...info, path, references: info.references.map((reference) => this.#paths.of(reference)) };
    }
    const [wanted, got] = [path, info.path].map((each) => printStorePath(this.#storeDir, each));
    throw new FormatError(
      'narinfo',
      0,
      `${narInfoName(path)} in '${this.#transport.uri}' is not for '${wanted}' but for '${got}'`,
    );
  }

  #parseText(path: StorePath, text: string): NarInfo {
    try {
      return parseNarInfo(this.#storeDir, text);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const problem = cause.message.replace(/^invalid narinfo at byte \d+: /, '');
      throw new FormatError(`${narInfoName(path)} in '${this.#transport.uri}'`, cause.offset, problem, { cause });
    }
  }
}

/** The file that says what a cache knows of a path. */
export function narInfoName(path: StorePath): string {
  return `${hashPart(path)}.narinfo`;
}

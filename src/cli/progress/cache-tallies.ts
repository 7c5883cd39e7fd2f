/** What came from each cache, and what was wrong with it: the numbers of the lines below the summary. */
import type { EventEmitter } from 'eventemitter3';
import type { StorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents } from '../../goals/events.ts';
import { failureKind } from './failure-kinds.ts';

/** Of one cache. */
export interface CacheTally {
  /** Paths that it delivered and that were made valid. */
  paths: number;
  /** That came from it for these paths. */
  downloadedBytes: number;
  /** Requests that were made again. */
  retries: number;
  /** How often it was of no use for a path, by kind. */
  readonly failures: Map<string, number>;
  /** Whether it is of no use at all. */
  isUnused: boolean;
  /** How often it was set aside, to be asked again later. */
  timesAside: number;
  /** For how many milliseconds, in all, without the time that is not over yet. */
  millisecondsAside: number;
  /** Since when it is set aside, where it is. */
  asideSince: number | undefined;
}

interface Delivery {
  readonly cache: CacheTally;
  readonly downloadedBytes: number;
}

export class CacheTallies {
  /** By URI, in the order in which they were first heard of. */
  readonly byUri: Map<string, CacheTally> = new Map();
  readonly #now: () => number;
  /** What is unpacked, and not valid yet. */
  readonly #deliveries = new Map<StorePath, Delivery>();

  /** @param now - in milliseconds, from any beginning. */
  constructor(now: () => number) {
    this.#now = now;
  }

  follow(events: EventEmitter<SchedulerEvents>): void {
    events.on('transferFinished', ({ path, substituter, downloadedBytes, retries }) => {
      const cache = this.#of(substituter);
      cache.retries += retries;
      this.#deliveries.set(path, { cache, downloadedBytes });
    });
    events.on('queryRetried', ({ substituter }) => {
      this.#of(substituter).retries++;
    });
    events.on('pathsRegistered', ({ paths }) => {
      for (const path of paths) this.#count(path);
    });
    events.on('substituterFailed', ({ substituter, error }) => {
      const { failures } = this.#of(substituter);
      const kind = failureKind(error);
      failures.set(kind, (failures.get(kind) ?? 0) + 1);
    });
    events.on('substituterSetAside', ({ substituter, milliseconds }) => {
      const cache = this.#of(substituter);
      if (milliseconds === Number.POSITIVE_INFINITY) {
        cache.isUnused = true;
        return;
      }
      cache.timesAside++;
      cache.asideSince ??= this.#now();
    });
    events.on('substituterBack', ({ substituter }) => {
      const cache = this.#of(substituter);
      cache.millisecondsAside = this.asideFor(cache);
      cache.asideSince = undefined;
    });
  }

  /** For how many milliseconds a cache has been set aside until now. */
  asideFor({ millisecondsAside, asideSince }: CacheTally): number {
    return millisecondsAside + (asideSince === undefined ? 0 : this.#now() - asideSince);
  }

  #count(path: StorePath): void {
    const delivery = this.#deliveries.get(path);
    if (delivery === undefined) return;
    this.#deliveries.delete(path);
    delivery.cache.paths++;
    delivery.cache.downloadedBytes += delivery.downloadedBytes;
  }

  #of(uri: string): CacheTally {
    let cache = this.byUri.get(uri);
    if (cache === undefined) {
      cache = {
        paths: 0,
        downloadedBytes: 0,
        retries: 0,
        failures: new Map(),
        isUnused: false,
        timesAside: 0,
        millisecondsAside: 0,
        asideSince: undefined,
      };
      this.byUri.set(uri, cache);
    }
    return cache;
  }
}

/** How often a cache was of no use for a path. */
export function failuresOf({ failures }: CacheTally): number {
  return failures.values().reduce((sum, count) => sum + count, 0);
}

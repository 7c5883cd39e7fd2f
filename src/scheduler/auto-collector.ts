/**
 * Collection while transfers run: where less than `min-free` is free on the store's disk, garbage is deleted until
 * `max-free` is.
 *
 * Nix lets whoever adds a path wait for it. Here nobody waits: what is being deleted makes room while transfers go on.
 *
 * Source: Nix 2.35 manual, "min-free"; libstore/gc.cc, LocalStore::autoGC.
 */
import { asSluiceError } from '../errors.ts';
import type { GarbageCollection } from '../goals/events.ts';
import type { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import { queryFreeSpace } from '../stores/free-space.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { collectGarbage } from './collect-garbage.ts';

/** Where no more than that part of what was free after the last collection is gone, another would find little. */
const ENOUGH_IS_LEFT = 0.97;

export interface AutoCollectorOptions {
  readonly store: LocalStore;
  readonly settings: Settings;
  readonly pool: WorkerPool;
  /** Called when a collection has ended. */
  readonly onFinished?: ((result: GarbageCollection) => void) | undefined;
  /** Bytes free on the disk of the store, where that is known: a test has its own. */
  readonly freeSpace?: (() => Promise<number | undefined>) | undefined;
  readonly collect?: typeof collectGarbage | undefined;
}

/** Disposing waits for a collection that runs. */
export class AutoCollector implements AsyncDisposable {
  readonly #options: AutoCollectorOptions;
  readonly #freeSpace: () => Promise<number | undefined>;
  #running: Promise<void> | undefined;
  #looked = Number.NEGATIVE_INFINITY;
  #freeAfter = Number.POSITIVE_INFINITY;

  constructor(options: AutoCollectorOptions) {
    this.#options = options;
    this.#freeSpace = options.freeSpace ?? (async () => (await queryFreeSpace(options.store.realStoreDir))?.free);
  }

  /** Begins a collection where it is time for one. Cheap enough for every transfer. */
  check(): void {
    const { minFree, minFreeCheckInterval } = this.#options.settings;
    if (minFree === 0 || this.#running !== undefined) return;
    if (performance.now() < this.#looked + minFreeCheckInterval * 1000) return;
    void this.#run(0);
  }

  /**
   * Collects until `needed` bytes are free, and as many as {@link AutoCollector.check} would have. Where min-free is not
   * set nothing is collected.
   */
  async makeRoom(needed: number): Promise<void> {
    if (this.#options.settings.minFree === 0) return;
    await this.#running;
    await (this.#running ?? this.#run(needed));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
  }

  #run(needed: number): Promise<void> {
    this.#running = this.#collect(needed).finally(() => {
      this.#looked = performance.now();
      this.#running = undefined;
    });
    return this.#running;
  }

  async #collect(needed: number): Promise<void> {
    const { settings, onFinished, store, pool, collect = collectGarbage } = this.#options;
    const { minFree, maxFree } = settings;
    try {
      const free = await this.#freeSpace();
      if (free === undefined || free >= Math.max(needed, Math.min(minFree, maxFree))) return;
      if (free > this.#freeAfter * ENOUGH_IS_LEFT) return;
      const maxFreed = Math.max(needed, maxFree) - free;
      const result = await collect({ store, settings, pool, maxFreed });
      const isAll = result.bytesFreed < maxFreed;
      this.#freeAfter = (isAll ? await this.#freeSpace() : undefined) ?? Number.POSITIVE_INFINITY;
      onFinished?.({ state: 'succeeded', deleted: result.deleted, bytesFreed: result.bytesFreed });
    } catch (error) {
      // Transfers go on: where there is no room for them, they say so.
      onFinished?.({ state: 'failed', failure: asSluiceError(error) });
    }
  }
}

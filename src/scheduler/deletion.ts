/**
 * The part of a collection that changes the store: garbage in batches, out of the database, out of the store directory,
 * and off the disk; and the roots that come meanwhile.
 */
import { join } from 'node:path';
import { type SluiceError, StoreError } from '../errors.ts';
import { hashPart } from '../formats/store-path.ts';
import type { WorkerPool } from '../pool/worker-pool.ts';
import { asStoreError } from '../stores/fs-errors.ts';
import type { GcDatabase } from '../stores/gc/gc-database.ts';
import type { Garbage, Survey } from '../stores/gc/survey.ts';
import { holdIfFree, makeTrash, moveAside } from '../stores/gc/trash.ts';
import type { Libc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';

/** Paths that leave together: few enough that nobody waits long, many enough for one commit. */
const BATCH = 512;
/** Of these one thread deletes so many in a turn. */
const SHARE = 64;

export interface DeletionOptions {
  readonly store: LocalStore;
  readonly libc: Libc;
  readonly pool: WorkerPool;
  /** A directory on the store's file system; where there is none, everything is deleted in its place. */
  readonly trash: string | undefined;
  readonly maxFreed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onDeleted?: ((path: string) => void) | undefined;
}

export class Deletion {
  deleted = 0;
  bytesFreed = 0;
  readonly problems: SluiceError[] = [];
  readonly #options: DeletionOptions;
  readonly #maxFreed: number;
  /** Roots that came before there was a survey. */
  readonly #early = new Set<string>();
  readonly #jobs = new Set<Promise<void>>();
  /** Hash parts of what leaves just now. */
  #leaving: ReadonlySet<string> = new Set();
  #left: Promise<void> = Promise.resolve();
  #survey: Survey | undefined;
  #batches = 0;

  constructor(options: DeletionOptions) {
    this.#options = options;
    this.#maxFreed = options.maxFreed ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Protects a path, with all that it keeps, from here on.
   *
   * @returns where it is just being deleted: fulfilled when it is gone.
   */
  addRoot(digits: string): Promise<void> | undefined {
    if (this.#survey === undefined) this.#early.add(digits);
    else this.#survey.protect(digits);
    return this.#leaving.has(digits) ? this.#left : undefined;
  }

  /**
   * Deletes garbage until there is none, or it is enough.
   *
   * @param garbage - what refers to others before them.
   */
  async run(garbage: readonly Garbage[], survey: Survey, database: GcDatabase): Promise<void> {
    const { pool, signal } = this.#options;
    this.#survey = survey;
    for (const digits of this.#early) survey.protect(digits);
    try {
      for (let start = 0; start < garbage.length && this.bytesFreed <= this.#maxFreed; ) {
        signal?.throwIfAborted();
        const end = this.#endOfBatch(garbage, start);
        await this.#deleteBatch(garbage.slice(start, end), survey, database);
        start = end;
        const most = this.#maxFreed === Number.POSITIVE_INFINITY ? (2 * BATCH) / SHARE + pool.threads : 0;
        while (this.#jobs.size > most) await Promise.race(this.#jobs);
      }
    } finally {
      await Promise.allSettled(this.#jobs);
    }
    await Promise.all(this.#jobs);
    signal?.throwIfAborted();
  }

  /** Where there is a limit, no more than is likely to reach it. */
  #endOfBatch(garbage: readonly Garbage[], start: number): number {
    let expected = this.bytesFreed;
    for (let end = start; end < garbage.length && end < start + BATCH; end++) {
      expected += garbage[end]!.narSize ?? this.#maxFreed;
      if (expected > this.#maxFreed) return end + 1;
    }
    return Math.min(start + BATCH, garbage.length);
  }

  async #deleteBatch(all: readonly Garbage[], survey: Survey, database: GcDatabase): Promise<void> {
    // Between this look and the next line nothing comes in: who adds a root from here on waits until the batch is gone.
    const batch = all.filter((each) => !survey.isAlive(each));
    using leaving = this.#leave(batch);
    const gone = await database.invalidate(batch);
    const inPlace: string[] = [];
    const shares = this.#makeShares(batch.length);
    for (const [index, each] of batch.entries()) {
      if (gone[index]) this.#take(each, shares[index % shares.length], inPlace);
      else survey.keep(each);
    }
    if (inPlace.length > 0) await this.#delete(inPlace);
    leaving[Symbol.dispose]();
    this.#queue(shares);
  }

  /** Until it is disposed, who adds one of these as a root waits. */
  #leave(batch: readonly Garbage[]): Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#leaving = new Set(batch.map(({ path }) => hashPart(path)));
    this.#left = promise;
    const done = new DisposableStack();
    done.defer(() => {
      this.#leaving = new Set();
      resolve();
    });
    return done;
  }

  /** Directories to move a batch to, each for one thread; none, where it must be deleted in its place. */
  #makeShares(size: number): readonly string[] {
    const { trash, pool } = this.#options;
    if (trash === undefined) return [];
    const batch = this.#batches++;
    try {
      return Array.from({ length: Math.min(size, Math.max(pool.threads, Math.ceil(size / SHARE))) }, (_, share) =>
        makeTrash(join(trash, `${batch}-${share}`)),
      );
    } catch (error) {
      asStoreError('cannot make a directory', error); // on a full disk
      return [];
    }
  }

  #take({ path }: Garbage, trash: string | undefined, inPlace: string[]): void {
    const { store, libc, onDeleted } = this.#options;
    const file = store.realPath(path);
    try {
      using held = holdIfFree(libc, file, path);
      if (held === undefined) return;
      if (trash === undefined) inPlace.push(file);
      else moveAside(file, `${trash}/${path}`);
    } catch (error) {
      asStoreError(`cannot move '${file}'`, error);
      inPlace.push(file);
    }
    this.deleted++;
    onDeleted?.(`${store.storeDir}/${path}`);
  }

  #queue(shares: readonly string[]): void {
    for (const share of shares) {
      const job = this.#delete([share]).finally(() => this.#jobs.delete(job));
      job.catch(() => {}); // it is waited for at the end
      this.#jobs.add(job);
    }
  }

  async #delete(paths: readonly string[]): Promise<void> {
    const { pool, signal } = this.#options;
    const { bytesFreed, problems } = await pool.run('deletePaths', { paths }, { signal });
    this.bytesFreed += bytesFreed;
    for (const { path, message } of problems) this.problems.push(new StoreError(`cannot delete '${path}': ${message}`));
  }
}

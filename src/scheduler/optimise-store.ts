/**
 * Hard-links equal files of a local store to each other, in worker threads. Killed at any moment, it leaves a store in
 * which all is as it was, only smaller.
 *
 * Source: Nix 2.35 libstore/optimise-store.cc, LocalStore::optimiseStore.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { Reply } from '../pool/messages.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import { loadLibc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { makeInodeSet } from '../stores/optimise/inode-set.ts';
import { Slots } from './slots.ts';

export interface OptimiseOptions {
  readonly store: LocalStore;
  readonly settings: Settings;
  /** Threads to work in; by default a pool of its own. */
  readonly pool?: WorkerPool | undefined;
  /** By default all valid paths. */
  readonly paths?: readonly StorePath[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch of paths; `bytesRead` counts what was hashed so far. */
  readonly onProgress?: ((progress: { done: number; expected: number; bytesRead: number }) => void) | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

export interface OptimiseResult {
  /** Files that were replaced by links. */
  readonly filesLinked: number;
  /** Their sizes together. */
  readonly bytesFreed: number;
  /** Paths that could not be done to the end; nothing about them is worse than before. */
  readonly problems: readonly StoreError[];
}

/** Paths that are looked up at once. */
const CHUNK = 512;
/** One job: a path alone, or small ones together. */
const BATCH = { paths: 32, bytes: 8 * 1024 * 1024 } as const;

/**
 * Optimises a store.
 *
 * @throws {StoreError} on a store that is read-only; the reason of `signal`. What was linked until then stays so.
 */
export async function optimiseStore(options: OptimiseOptions): Promise<OptimiseResult> {
  const { store, settings, signal } = options;
  await using resources = new AsyncDisposableStack();
  const pool = options.pool ?? resources.use(new WorkerPool({ settings }));
  if (options.pool === undefined) warm(pool);
  if (!(await store.open()).writable) throw new StoreError(`store '${store.uri}' is open for reading only`);
  const paths = options.paths ?? (await store.queryAllValidPaths({ signal }));
  // What is durable must not be replaced by what is not yet.
  if (settings.fsyncStorePaths) await syncStore(store.realStoreDir);

  const linksDir = join(store.realStoreDir, '.links');
  const { linked } = await pool.run('readLinks', { linksDir }, { signal, weight: 0 });
  const slots = new Slots(2 * pool.threads);
  const totals = { filesLinked: 0, bytesFreed: 0, bytesRead: 0 };
  const problems: StoreError[] = [];
  let done = 0;

  const optimise = async (batch: readonly StorePath[]): Promise<void> => {
    const request = { realStoreDir: store.realStoreDir, paths: batch, linked };
    // One thread is enough to see that all is linked already; more are worth their start once one has met a file.
    const weight = totals.bytesRead === 0 ? 0 : undefined;
    const reply = await pool.run('optimise', request, { signal, weight });
    addUp(totals, reply);
    for (const message of reply.messages) options.onMessage?.(message);
    for (const { path, message } of reply.problems) {
      problems.push(new StoreError(`cannot optimise '${printStorePath(store.storeDir, path)}': ${message}`));
    }
    done += batch.length;
    options.onProgress?.({ done, expected: paths.length, bytesRead: totals.bytesRead });
  };

  const jobs: Promise<void>[] = [];
  const failed = new AbortController();
  for (let start = 0; start < paths.length && !failed.signal.aborted; start += CHUNK) {
    const chunk = paths.slice(start, start + CHUNK);
    await store.addTempRoots(chunk, { signal });
    const infos = [...(await store.queryPathInfos(chunk, { signal })).values()];
    done += chunk.length - infos.length; // collected meanwhile
    for (const batch of batches(infos)) {
      const slot = await slots.acquire(signal);
      const job = optimise(batch).finally(() => slot[Symbol.dispose]());
      job.catch(() => failed.abort());
      jobs.push(job);
    }
  }
  await Promise.all(jobs);
  const { filesLinked, bytesFreed } = totals;
  return { filesLinked, bytesFreed, problems };
}

/** Starts a thread while the store is opened and it is found out what there is to do. */
function warm(pool: WorkerPool): void {
  const nothing = { realStoreDir: '', paths: [], linked: makeInodeSet([]) };
  pool.run('optimise', nothing, { weight: 0 }).catch(() => {}); // what is wrong with a thread shows when it is needed
}

/** The largest first, so that the threads are done at about the same time. */
function* batches(infos: readonly PathInfo[]): Generator<readonly StorePath[]> {
  let batch: StorePath[] = [];
  let bytes = 0;
  for (const { path, narSize } of infos.toSorted((a, b) => b.narSize - a.narSize)) {
    if (batch.length === BATCH.paths || (batch.length > 0 && bytes + narSize > BATCH.bytes)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(path);
    bytes += narSize;
  }
  if (batch.length > 0) yield batch;
}

function addUp(
  totals: { filesLinked: number; bytesFreed: number; bytesRead: number },
  { filesLinked, bytesFreed, bytesRead }: Reply<'optimise'>,
): void {
  totals.filesLinked += filesLinked;
  totals.bytesFreed += bytesFreed;
  totals.bytesRead += bytesRead;
}

async function syncStore(realStoreDir: string): Promise<void> {
  await using directory = await open(realStoreDir);
  await loadLibc().syncFileSystem(directory.fd, realStoreDir);
}

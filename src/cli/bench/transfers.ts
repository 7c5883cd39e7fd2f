/** Transfers of many paths, so many at once: into a store that is thrown away, or with nothing written at all. */
import { mkdtemp, realpath } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { IncompleteClosureError, StoreError } from '../../errors.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import type { Progress } from '../../pool/messages.ts';
import { WorkerPool } from '../../pool/worker-pool.ts';
import { type RealiseResult, Scheduler } from '../../scheduler/scheduler.ts';
import { Slots } from '../../scheduler/slots.ts';
import type { Settings } from '../../settings.ts';
import { removeTree } from '../../stores/remove-tree.ts';
import type { Store } from '../../stores/store.ts';
import type { TransferRun } from './records.ts';
import { type TransferProgress, TransferRecorder } from './transfer-recorder.ts';

export interface TransferOptions {
  /** The store that has the paths. It has been asked for each of them, so that no query gets in between. */
  readonly source: Store;
  /** With all they refer to; at least one. */
  readonly infos: readonly PathInfo[];
  /** How many are under way at once, at most. */
  readonly parallelism: number;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TransferProgress) => void;
}

/**
 * Makes the paths valid in a store of its own below `directory`, which is gone afterwards, whatever happens.
 *
 * @throws {SluiceError} where a path cannot be had; the reason of `signal`.
 */
export async function transferInto(directory: string, options: TransferOptions): Promise<TransferRun> {
  const { source, infos, parallelism, signal } = options;
  await using resources = new AsyncDisposableStack();
  const root = await realpath(await mkdtemp(join(directory, 'sluice-bench-')));
  resources.defer(() => removeTree(root));
  const settings = {
    ...options.settings,
    maxSubstitutionJobs: parallelism,
    substitutionsUseBuildSlots: false,
    substitute: true,
    requireSigs: false,
  };
  const store = `local?root=${encodeURIComponent(root)}&store=${encodeURIComponent(source.storeDir)}`;
  const scheduler = resources.use(await Scheduler.open({ store, substituters: [source], settings }));
  const { events } = scheduler;
  const recorder = new TransferRecorder(options.onProgress);
  events.on('transferProgress', ({ path, narBytes }) => recorder.move(path, narBytes));
  events.on('transferFinished', ({ path, narSize, downloadedBytes, timings }) => {
    recorder.finish({ path, narSize, downloadedBytes, timings });
  });
  events.on('pathsRegistered', ({ paths, milliseconds }) => recorder.commit(paths.length, milliseconds));
  const paths = infos.map(({ path }) => path);
  checkResults(await scheduler.realise(paths, { signal }));
  return recorder.run(settings.workerThreads || availableParallelism());
}

/**
 * Downloads, decompresses and checks the paths.
 *
 * @throws {SluiceError} where a path cannot be had; the reason of `signal`.
 */
export async function transferNowhere(options: TransferOptions): Promise<TransferRun> {
  const { source, infos, parallelism, settings, signal } = options;
  await using pool = new WorkerPool({ settings, concurrency: parallelism });
  const slots = new Slots(parallelism);
  const recorder = new TransferRecorder(options.onProgress);
  const from = source.openUri;
  async function transfer(info: PathInfo): Promise<void> {
    const { path, narSize } = info;
    using _slot = await slots.acquire(signal, narSize);
    const onProgress = ({ narBytes }: Progress): void => recorder.move(path, narBytes);
    const reply = await pool.run('fetch', { from, info }, { signal, onProgress, weight: narSize });
    recorder.finish({ path, narSize, ...reply });
  }
  // Threads get ready first: here nothing else is measured but the transfers.
  const threads = Math.min(pool.threads, parallelism, infos.length);
  await Promise.all(Array.from({ length: threads }, () => pool.run('open', { stores: [from] }, { signal })));
  await Promise.all(infos.map(transfer));
  return recorder.run(pool.threads);
}

/** What could not be had ends a measurement; of all that failed, the path at the root of it is told. */
function checkResults(results: readonly RealiseResult[]): void {
  for (const result of results) {
    if (result.state === 'succeeded') continue;
    if (result.state === 'cancelled') continue; // because of one that failed, and comes yet
    let failure: unknown = result.failure;
    while (failure instanceof IncompleteClosureError && failure.cause !== undefined) failure = failure.cause;
    throw failure;
  }
  if (results.some(({ state }) => state !== 'succeeded')) throw new StoreError('not every path could be transferred');
}

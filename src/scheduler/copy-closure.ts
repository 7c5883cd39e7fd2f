/** Copies closures into a binary cache: exports and compresses in worker threads, announces references first. */
import type { EventEmitter } from 'eventemitter3';
import type { StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import { UploadGoal } from '../goals/upload-goal.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import type { BinaryCacheStore } from '../stores/binary-cache-store.ts';
import type { Store } from '../stores/store.ts';
import { GoalGraph } from './goal-graph.ts';
import type { RealiseResult } from './scheduler.ts';
import { Slots } from './slots.ts';

/**
 * For each thread. Compression keeps a core busy all the time: a second job is there to read while the first one
 * compresses. Where files go over a network most jobs wait for its answers; of these as many compress as otherwise.
 */
const JOBS_TO_DISK = 2;
const JOBS_TO_NETWORK = 16;

export interface CopyClosureOptions {
  readonly from: Store;
  readonly to: BinaryCacheStore;
  readonly paths: readonly StorePath[];
  readonly settings: Settings;
  /** Told as a {@link Scheduler} tells: `substituter` is the store that is copied from. */
  readonly events: EventEmitter<SchedulerEvents>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes `paths` valid in `to`, with all that they refer to.
 *
 * @returns how each ended, in order.
 * @throws the reason of `signal`, once everything has stopped, and {@link StoreError} where `to` cannot be written.
 */
export async function copyClosure(options: CopyClosureOptions): Promise<RealiseResult[]> {
  const { from, to, paths, settings, events, signal } = options;
  const goal = (path: StorePath): UploadGoal => new UploadGoal(path, from, to);
  await to.prepareToWrite(); // where there is no cache yet, nothing can be asked of it
  await using pool = new WorkerPool({ settings });
  const slots = new Slots(pool.threads * (to.isLocal ? JOBS_TO_DISK : JOBS_TO_NETWORK));
  const graph: GoalGraph<UploadGoal> = new GoalGraph({
    keepGoing: settings.keepGoing,
    run: (node) => {
      events.emit('goalStarted', { path: node.goal.path });
      return node.goal.run({
        events,
        signal: node.signal,
        waitFor: (references) => graph.waitFor(node, references.map(goal)),
        slot: (_kind, waiting, size) => slots.acquire(waiting, size),
        runJob: (name, request, jobOptions) => pool.run(name, request, jobOptions),
      });
    },
    onEnded: ({ goal: { path }, result }) => events.emit('goalFinished', { path, result: result! }),
  });
  const results = await graph.request(paths.map(goal), signal);
  return results.map((result, index) => ({ ...result, path: paths[index]! }));
}

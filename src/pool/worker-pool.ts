/** The main thread's side of the pool: Piscina threads that run the jobs of messages.ts, one module of workers/ each. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { InternalError, RelayedError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import { JobState } from './job-state.ts';
import type { JobName, Outcome, Progress, Reply, Request, Task } from './messages.ts';

/** How often progress is looked at, in milliseconds. */
const PROGRESS_INTERVAL = 100;

export interface RunOptions {
  /** Cancels the job: the worker stops, cleans up behind itself, and only then does {@link WorkerPool.run} reject. */
  readonly signal?: AbortSignal | undefined;
  /** Called some times a second while there is progress. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface WorkerPoolOptions {
  /** What the jobs get as their settings; `worker-threads` is how many threads there are at most. */
  readonly settings: Settings;
  /** Jobs that may be under way at once, spread over the threads; more wait their turn. At least two a thread. */
  readonly concurrency?: number | undefined;
  /** The module that serves a job, if not the one in workers/: for tests. */
  readonly entry?: ((name: JobName) => URL) | undefined;
}

export class WorkerPool implements AsyncDisposable {
  /** How many threads there are when all are busy. */
  readonly threads: number;
  readonly #piscina: Piscina;
  readonly #entry: (name: JobName) => URL;
  readonly #watched = new Map<JobState, (progress: Progress) => void>();
  #watch: NodeJS.Timeout | undefined;

  constructor({ settings, concurrency = 0, entry = workerModule }: WorkerPoolOptions) {
    this.threads = settings.workerThreads || availableParallelism();
    this.#entry = entry;
    this.#piscina = new Piscina({
      minThreads: 0,
      maxThreads: this.threads,
      concurrentTasksPerWorker: Math.max(2, Math.ceil(concurrency / this.threads)),
      // Not the default 'sync': it stops a worker's event loop between tasks, and with it its HTTP connections.
      atomics: 'disabled',
      idleTimeout: 60_000,
      workerData: settings,
      recordTiming: false,
    });
  }

  /**
   * Runs one job in some thread.
   *
   * @throws {RelayedError} what the job threw, by code; {@link InternalError} where its thread died;
   *   the signal's reason where it was cancelled.
   */
  async run<N extends JobName>(name: N, request: Request<N>, options: RunOptions = {}): Promise<Reply<N>> {
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    const state = new JobState();
    using cleanup = new DisposableStack();
    // Not Piscina's own signal: that kills the thread, and with it every other job in it.
    const cancel = (): void => state.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    cleanup.defer(() => signal?.removeEventListener('abort', cancel));
    if (onProgress !== undefined) cleanup.use(this.#tell(state, onProgress));

    const outcome = await this.#outcome(name, { request, state: state.memory });
    if (outcome.ok) return outcome.reply;
    signal?.throwIfAborted();
    throw new RelayedError(outcome.error);
  }

  async #outcome<N extends JobName>(name: N, task: Task<N>): Promise<Outcome<N>> {
    try {
      return (await this.#piscina.run(task, { filename: this.#entry(name).href })) as Outcome<N>;
    } catch (cause) {
      // A job's own errors are outcomes, so this is the thread's end: a crash, process.exit, out of memory.
      throw new InternalError(`the worker thread ended while it ran a '${name}' job: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Looks at the progress of a job from time to time, until disposed. */
  #tell(state: JobState, onProgress: (progress: Progress) => void): Disposable {
    let told = 0;
    this.#watched.set(state, (progress) => {
      const moved = progress.downloadedBytes + progress.narBytes;
      if (moved > told) onProgress(progress);
      told = moved;
    });
    this.#watch ??= setInterval(() => {
      for (const [each, tell] of this.#watched) tell(each.progress);
    }, PROGRESS_INTERVAL);
    return {
      [Symbol.dispose]: () => {
        this.#watched.delete(state);
        if (this.#watched.size > 0) return;
        clearInterval(this.#watch);
        this.#watch = undefined;
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#piscina.destroy();
  }
}

/** workers/hash-path.ts serves `hashPath`; compiled, workers/hash-path.js. */
function workerModule(name: JobName): URL {
  const file = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  return new URL(`../../workers/${file}${extension}`, import.meta.url);
}

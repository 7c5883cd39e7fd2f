/**
 * The main thread's side of the pool. Piscina starts and ends the threads; what runs in each takes jobs from a port
 * for as long as the thread lives, because Piscina's own way of handing over a task costs more than many a job.
 */
import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { decodeError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import { BusyMeter } from './busy-meter.ts';
import type { JobName, Notice, Outcome, Progress, Reply, Request, SharedLimit } from './messages.ts';
import { makeSharedLimit } from './rate-limit.ts';
import { takeThreads } from './threads.ts';
import { WorkerThread } from './worker-thread.ts';

/** How often progress is looked at, in milliseconds. */
const PROGRESS_INTERVAL = 100;
/** Bytes that a thread has to have before it that another is worth its start, of about 0.1 s. */
const ENOUGH_FOR_ANOTHER = 8 * 1024 * 1024;
/** Bytes of NAR that are worth a second thread for one job: hashing them takes some times the 0.04 s of its start. */
const ENOUGH_FOR_TWO_CORES = 256 * 1024 * 1024;
/** Asked once: it is a system call, and the question is put for every job. */
const CORES = availableParallelism();
/** A thread that is busier than this has no time for more. */
const BUSY = 0.9;
/** After so many milliseconds without a job a thread ends, and with it a program that does not dispose its pool. */
const IDLE_TIMEOUT = 2_000;

export interface RunOptions {
  /** Cancels the job: the worker stops, cleans up behind itself, and only then does {@link WorkerPool.run} reject. */
  readonly signal?: AbortSignal | undefined;
  /** Called some times a second while there is progress. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called with what the job tells while it runs, in order, and before {@link WorkerPool.run} ends. */
  readonly onNotice?: ((notice: Notice) => void) | undefined;
  /** How many bytes of NAR there are to do. Where it is missing the job is worth a thread of its own. */
  readonly weight?: number | undefined;
}

export interface WorkerPoolOptions {
  /** What the jobs get as their settings; `worker-threads` is how many threads there are at most. */
  readonly settings: Settings;
  /** Jobs that may be under way at once in one thread; more wait their turn. */
  readonly concurrency?: number | undefined;
  /** Jobs of so many bytes may use two cores, where one is free; by default 256 MiB. */
  readonly twoCoresFrom?: number | undefined;
  /** What runs in the threads, if not workers/thread.ts: for tests. */
  readonly entry?: URL | undefined;
}

export class WorkerPool implements AsyncDisposable {
  /** How many threads there are at most. */
  readonly threads: number;
  readonly #settings: Settings;
  readonly #concurrency: number;
  readonly #twoCoresFrom: number;
  readonly #downloadLimit: SharedLimit | undefined;
  readonly #piscina: Piscina;
  readonly #running = new Set<WorkerThread>();
  /** Those who wait for a thread that has room. */
  readonly #waiting: (() => void)[] = [];
  readonly #watched = new Set<() => void>();
  readonly #meter = new BusyMeter();
  #jobs = 0;
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor({ settings, concurrency = 64, twoCoresFrom = ENOUGH_FOR_TWO_CORES, entry }: WorkerPoolOptions) {
    this.threads = settings.workerThreads || CORES;
    this.#settings = settings;
    this.#concurrency = concurrency;
    this.#twoCoresFrom = twoCoresFrom;
    this.#downloadLimit = makeSharedLimit(settings.downloadSpeed);
    this.#piscina = takeThreads(entry);
  }

  /**
   * Runs one job in some thread.
   *
   * @throws {RelayedError} what the job threw, by code, {@link BuildError} where it was one; {@link InternalError} where its thread died;
   *   the signal's reason where it was cancelled.
   */
  async run<N extends JobName>(name: N, request: Request<N>, options: RunOptions = {}): Promise<Reply<N>> {
    const { signal, onNotice, weight } = options;
    signal?.throwIfAborted();
    const thread = this.#choose(weight) ?? (await this.#room(weight, signal));
    const ended = Promise.withResolvers<Outcome<JobName>>();
    const hasSpareCore = weight !== undefined && weight >= this.#twoCoresFrom && this.#hasSpareCore(thread);
    const job = thread.start(name, request, { weight: weight ?? 0, ended, onNotice, hasSpareCore });
    using _followed = this.#follow(thread, job, options);
    const outcome = (await ended.promise) as Outcome<N>;
    if (outcome.ok) return outcome.reply;
    signal?.throwIfAborted();
    throw decodeError(outcome.error);
  }

  /**
   * How busy the threads have been of late, from 0 to 1; undefined where nothing new can be told. Where they are not,
   * more jobs at once would be done sooner.
   */
  lookHowBusy(): number | undefined {
    if (!this.#look() || this.#meter.others.length === 0) return undefined;
    return this.#meter.others.reduce((sum, busy) => sum + busy) / this.#meter.others.length;
  }

  /** The thread for the next job: where none has room, undefined. */
  #choose(weight: number | undefined): WorkerThread | undefined {
    let best: WorkerThread | undefined;
    for (const thread of this.#running) {
      if (thread.isFull) continue;
      if (best === undefined || thread.load < best.load) best = thread;
    }
    if (best?.jobs === 0 || this.#running.size === this.threads) return best;
    const another =
      best === undefined || weight === undefined || best.hasMoreThan(ENOUGH_FOR_ANOTHER) || this.#couldUseAnother();
    return another ? this.#startThread() : best;
  }

  /** Whether a core is left for a job of `chosen` beside that of the thread: no other thread, or large job, has it. */
  #hasSpareCore(chosen: WorkerThread): boolean {
    let taken = 0;
    for (const thread of this.#running) {
      if (thread === chosen || thread.hasMoreThan(ENOUGH_FOR_ANOTHER)) taken++;
      taken += thread.spareCores;
    }
    return taken < Math.min(this.threads, CORES);
  }

  async #room(weight: number | undefined, signal: AbortSignal | undefined): Promise<WorkerThread> {
    for (;;) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (signal?.aborted) this.#wake(); // the room is for the next
      signal?.throwIfAborted();
      const thread = this.#choose(weight);
      if (thread !== undefined) return thread;
    }
  }

  /** Whether all threads have more to do than they can, and a core is left beside one for the rest of the machine. */
  #couldUseAnother(): boolean {
    this.#look();
    const { own, others } = this.#meter;
    const taken = others.reduce((sum, busy) => sum + busy, own);
    return others.length > 0 && others.every((busy) => busy > BUSY) && taken < CORES - 1;
  }

  #look(): boolean {
    return this.#meter.look(() => this.#piscina.threads.map(({ performance }) => performance));
  }

  #startThread(): WorkerThread {
    const thread = new WorkerThread(this.#settings, this.#concurrency, this.#downloadLimit);
    const { task } = thread;
    this.#running.add(thread);
    this.#piscina
      .run(task, { transferList: [task.port] })
      .then(
        () => undefined,
        (error: Error) => thread.died(error),
      )
      .finally(() => {
        this.#running.delete(thread);
        this.#wake();
      });
    return thread;
  }

  /** Counts a job as running until it is disposed, cancels it with its signal, and tells how far it is. */
  #follow(thread: WorkerThread, job: number, { signal, onProgress }: RunOptions): Disposable {
    this.#begin();
    const cancel = (): void => thread.cancel(job);
    signal?.addEventListener('abort', cancel, { once: true });
    const telling = onProgress && this.#tell(() => thread.progressOf(job), onProgress);
    return {
      [Symbol.dispose]: () => {
        telling?.[Symbol.dispose]();
        signal?.removeEventListener('abort', cancel);
        this.#end();
      },
    };
  }

  /** A job begins: while there is one, the process does not end by itself. */
  #begin(): void {
    this.#jobs++;
    if (this.#jobs > 1) return;
    clearTimeout(this.#idle);
    for (const thread of this.#piscina.threads) thread.ref();
  }

  #end(): void {
    this.#jobs--;
    this.#wake();
    if (this.#jobs > 0) return;
    for (const thread of this.#piscina.threads) thread.unref();
    this.#idle = setTimeout(() => this.#closeThreads(), IDLE_TIMEOUT).unref();
  }

  #closeThreads(): void {
    for (const thread of this.#running) thread.close();
    this.#running.clear();
  }

  #wake(): void {
    this.#waiting.shift()?.();
  }

  /** Looks at the progress of a job from time to time, until disposed. */
  #tell(progress: () => Progress, onProgress: (progress: Progress) => void): Disposable {
    let told = 0;
    const tell = (): void => {
      const now = progress();
      const moved = now.downloadedBytes + now.narBytes + (now.uploadedBytes ?? 0);
      if (moved > told) onProgress(now);
      told = moved;
    };
    this.#watched.add(tell);
    this.#watch ??= setInterval(() => {
      for (const each of this.#watched) each();
    }, PROGRESS_INTERVAL);
    return {
      [Symbol.dispose]: () => {
        this.#watched.delete(tell);
        if (this.#watched.size > 0) return;
        clearInterval(this.#watch);
        this.#watch = undefined;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    await this.#piscina.destroy();
  }
}

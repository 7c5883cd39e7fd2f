/** The main thread's side of the pool: Piscina threads that run the jobs of messages.ts, one module of workers/ each. */
import { availableParallelism } from 'node:os';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { InternalError, RelayedError } from '../errors.ts';
import type { CancelMessage, JobName, Outcome, Progress, ProgressMessage, Reply, Request, Task } from './messages.ts';

export interface RunOptions<N extends JobName> {
  /** Cancels the job: the worker stops, cleans up behind itself, and only then does {@link WorkerPool.run} reject. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress<N>) => void) | undefined;
}

export interface WorkerPoolOptions {
  /** 0 means one a core. */
  readonly threads: number;
  /** Jobs that may be under way at once, spread over the threads; more wait their turn. At least two a thread. */
  readonly concurrency: number;
  /** The module that serves a job, if not the one in workers/: for tests. */
  readonly entry?: ((name: JobName) => URL) | undefined;
}

export class WorkerPool implements AsyncDisposable {
  /** How many threads there are when all are busy. */
  readonly threads: number;
  readonly #piscina: Piscina;
  readonly #entry: (name: JobName) => URL;

  constructor({ threads, concurrency, entry = workerModule }: WorkerPoolOptions) {
    this.threads = threads || availableParallelism();
    this.#entry = entry;
    this.#piscina = new Piscina({
      minThreads: 0,
      maxThreads: this.threads,
      concurrentTasksPerWorker: Math.max(2, Math.ceil(concurrency / this.threads)),
      // Not the default 'sync': it stops a worker's event loop between tasks, and with it its HTTP connections.
      atomics: 'disabled',
      idleTimeout: 60_000,
    });
  }

  /**
   * Runs one job in some thread.
   *
   * @throws {RelayedError} what the job threw, by code; {@link InternalError} where its thread died;
   *   the signal's reason where it was cancelled.
   */
  async run<N extends JobName>(name: N, request: Request<N>, options: RunOptions<N> = {}): Promise<Reply<N>> {
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    const { port1: near, port2: far } = new MessageChannel();
    using cleanup = new DisposableStack();
    cleanup.defer(() => near.close());
    const hear = ({ progress }: ProgressMessage<N>): void => onProgress?.(progress);
    near.on('message', hear);
    const cancel = (): void =>
      near.postMessage({ type: 'cancel', reason: String(signal?.reason) } satisfies CancelMessage);
    signal?.addEventListener('abort', cancel, { once: true });
    cleanup.defer(() => signal?.removeEventListener('abort', cancel));

    const outcome = await this.#outcome(name, { request, port: far });
    // The outcome came over Piscina's port and may overtake progress still queued on ours.
    for (let late = receiveMessageOnPort(near); late !== undefined; late = receiveMessageOnPort(near)) {
      hear(late.message as ProgressMessage<N>);
    }
    if (outcome.ok) return outcome.reply;
    signal?.throwIfAborted();
    throw new RelayedError(outcome.error);
  }

  async #outcome<N extends JobName>(name: N, task: Task<N>): Promise<Outcome<N>> {
    try {
      return (await this.#piscina.run(task, {
        filename: this.#entry(name).href,
        transferList: [task.port],
      })) as Outcome<N>;
    } catch (cause) {
      // A job's own errors are outcomes, so this is the thread's end: a crash, process.exit, out of memory.
      throw new InternalError(`the worker thread ended while it ran a '${name}' job: ${(cause as Error).message}`, {
        cause,
      });
    }
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

/** The main thread's end of one worker thread: sends jobs over a port and hears how they ended. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { InternalError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type {
  JobMessage,
  JobName,
  Notice,
  Outcome,
  Progress,
  Request,
  SharedLimit,
  ThreadMessage,
  ThreadTask,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { ProgressMemory } from './progress-memory.ts';

/** What every job costs beside its bytes, counted as bytes. */
const JOB_LOAD = 64 * 1024;

interface Running {
  readonly name: JobName;
  readonly weight: number;
  readonly resolve: (outcome: Outcome<JobName>) => void;
  readonly reject: (error: InternalError) => void;
  readonly onNotice: ((notice: Notice) => void) | undefined;
  readonly hasSpareCore: boolean;
}

export interface StartOptions {
  /** What there is to do, in bytes. */
  readonly weight: number;
  /** Gets the outcome, or an error where the thread has died. */
  readonly ended: PromiseWithResolvers<Outcome<JobName>>;
  readonly onNotice?: ((notice: Notice) => void) | undefined;
  /** See JobContext; by default it is not so. */
  readonly hasSpareCore?: boolean;
}

export class WorkerThread {
  /** What the thread's function has to be called with. */
  readonly task: ThreadTask;
  readonly #port: MessagePort;
  readonly #outbox: Outbox<JobMessage>;
  readonly #progress: ProgressMemory;
  readonly #running = new Map<number, Running>();
  readonly #free: number[];
  /** What its jobs had to do when they began, in bytes. */
  #begun = 0;

  /**
   * @param settings - those that its jobs get.
   * @param capacity - jobs that it may run at once.
   * @param downloadLimit - what all threads share, where there is a limit.
   */
  constructor(settings: Settings, capacity: number, downloadLimit?: SharedLimit) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#outbox = new Outbox(port1);
    this.#progress = new ProgressMemory(capacity);
    this.#free = Array.from({ length: capacity }, (_, job) => capacity - 1 - job);
    this.task = { settings, port: port2, progress: this.#progress.memory, downloadLimit };
    port1.on('message', (messages: readonly ThreadMessage[]) => {
      for (const message of messages) {
        if ('notice' in message) this.#running.get(message.job)?.onNotice?.(message.notice);
        else this.#end(message.job)?.resolve(message.outcome);
      }
    });
    port1.unref();
  }

  /** How many jobs it runs. */
  get jobs(): number {
    return this.#running.size;
  }

  get isFull(): boolean {
    return this.#free.length === 0;
  }

  /** What its jobs have left to do, in bytes. */
  get load(): number {
    let load = 0;
    for (const [job, { weight }] of this.#running)
      load += JOB_LOAD + Math.max(0, weight - this.#progress.narBytes(job));
    return load;
  }

  /** How many cores its jobs may use beside its own. */
  get spareCores(): number {
    let cores = 0;
    for (const { hasSpareCore } of this.#running.values()) if (hasSpareCore) cores++;
    return cores;
  }

  /** Whether its jobs have more left to do than so many bytes: where that is easy to tell, it is. */
  hasMoreThan(bytes: number): boolean {
    return this.#begun > bytes && this.load > bytes;
  }

  /**
   * Hands over a job; there must be room for it.
   *
   * @returns the job's number, good until it has ended.
   */
  start(
    name: JobName,
    request: Request<JobName>,
    { weight, ended, onNotice, hasSpareCore = false }: StartOptions,
  ): number {
    const job = this.#free.pop()!;
    if (this.#running.size === 0) this.#port.ref();
    this.#begun += JOB_LOAD + weight;
    this.#running.set(job, { name, weight, resolve: ended.resolve, reject: ended.reject, onNotice, hasSpareCore });
    this.#progress.reset(job);
    this.#outbox.push(hasSpareCore ? { job, name, request, hasSpareCore } : { job, name, request });
    return job;
  }

  cancel(job: number): void {
    this.#outbox.push({ job, name: 'cancel' });
  }

  progressOf(job: number): Progress {
    return this.#progress.of(job);
  }

  /** The thread ends by itself, having nothing to do. */
  close(): void {
    this.#port.close();
  }

  /** The thread has died: so have its jobs. */
  died(cause: Error): void {
    this.#port.close();
    for (const [job, { name }] of [...this.#running]) {
      const message = `the worker thread ended while it ran a '${name}' job: ${cause.message}`;
      this.#end(job)!.reject(new InternalError(message, { cause }));
    }
  }

  #end(job: number): Running | undefined {
    const ended = this.#running.get(job);
    if (ended !== undefined) this.#begun -= JOB_LOAD + ended.weight;
    this.#running.delete(job);
    this.#free.push(job);
    if (this.#running.size === 0) this.#port.unref();
    return ended;
  }
}

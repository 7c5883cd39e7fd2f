/** A worker thread's side of the pool: takes jobs from its port and answers how each ended. */
import { workerData } from 'node:worker_threads';
import { encodeError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { JobMessage, JobName, JobReply, Outcome, Reply, Request, ThreadTask } from './messages.ts';
import { Outbox } from './outbox.ts';
import { ProgressMemory } from './progress-memory.ts';

export interface JobContext {
  /** The settings of the pool that runs the job. */
  readonly settings: Settings;
  /** Aborts when the main thread cancels the job. */
  readonly signal: AbortSignal;
  readonly progress: JobProgress;
}

/** Where progress is told: cheap enough for every chunk. */
export interface JobProgress {
  /** More bytes came over the wire. */
  addDownloaded(bytes: number): void;
  /** More bytes of the NAR have been taken. */
  addNar(bytes: number): void;
}

/** What does the jobs of one kind: the default export of a module of workers/. */
export type Handler<N extends JobName> = (request: Request<N>, context: JobContext) => Promise<Reply<N>>;

/** Where the handler of each kind is; loaded with the first job that needs it. */
export type Handlers = { readonly [N in JobName]: () => Promise<{ readonly default: Handler<N> }> };

/** Makes the function that Piscina runs in a thread: done when the port is closed. */
export function serveJobs(handlers: Handlers): (task: ThreadTask) => Promise<void> {
  return ({ port, progress }) => {
    const running = new Map<number, AbortController>();
    const memory = new ProgressMemory(progress);
    const outbox = new Outbox<JobReply>(port);

    async function start<N extends JobName>(job: number, name: N, request: Request<N>): Promise<void> {
      const controller = new AbortController();
      running.set(job, controller);
      const context = {
        settings: workerData as Settings,
        signal: controller.signal,
        progress: {
          addDownloaded: (bytes: number) => memory.addDownloaded(job, bytes),
          addNar: (bytes: number) => memory.addNar(job, bytes),
        },
      };
      const outcome = await outcomeOf(handlers[name], request, context);
      running.delete(job);
      outbox.push({ job, outcome });
    }

    port.on('message', (messages: readonly JobMessage[]) => {
      for (const message of messages) {
        if (message.name === 'cancel') running.get(message.job)?.abort();
        else void start(message.job, message.name, message.request);
      }
    });
    return new Promise((resolve) => port.once('close', resolve));
  };
}

/** Errors become data. */
async function outcomeOf<N extends JobName>(
  load: Handlers[N],
  request: Request<N>,
  context: JobContext,
): Promise<Outcome<N>> {
  try {
    const { default: handler } = await load();
    return { ok: true, reply: await handler(request, context) };
  } catch (error) {
    return { ok: false, error: encodeError(error) };
  }
}

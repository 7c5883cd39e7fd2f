/** A worker thread's side of the pool: takes jobs from its port and answers how each ended. */
import { encodeError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type {
  JobMessage,
  JobName,
  Notice,
  Outcome,
  Reply,
  Request,
  StartMessage,
  ThreadMessage,
  ThreadTask,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { ProgressMemory } from './progress-memory.ts';
import { RateLimit } from './rate-limit.ts';

export interface JobContext {
  /** The settings of the pool that runs the job. */
  readonly settings: Settings;
  /** Aborts when the main thread cancels the job. */
  readonly signal: AbortSignal;
  readonly progress: JobProgress;
  /** Tells the one who asked for the job. Notices come in order, and before the reply; who has many joins them. */
  readonly tell: (notice: Notice) => void;
  /** That of all threads together, where there is one. */
  readonly downloadLimit?: RateLimit | undefined;
  /** Whether the job is large, and nobody needed another core when it began: it may start a thread of its own. */
  readonly hasSpareCore?: boolean | undefined;
}

/** Where progress is told: cheap enough for every chunk. */
export interface JobProgress {
  /** More bytes came over the wire. */
  addDownloaded(bytes: number): void;
  /** More bytes of the NAR have been taken. */
  addNar(bytes: number): void;
  /** More bytes went over the wire. */
  addUploaded(bytes: number): void;
}

/** What does the jobs of one kind: the default export of a module of workers/. */
export type Handler<N extends JobName> = (request: Request<N>, context: JobContext) => Promise<Reply<N>>;

/** Where the handler of each kind is; loaded with the first job that needs it. */
export type Handlers = { readonly [N in JobName]: () => Promise<{ readonly default: Handler<N> }> };

/** Done when the port is closed. */
export type ServeThread = (task: ThreadTask, ended?: (name: JobName) => void) => Promise<void>;

/** Makes the function that Piscina runs in a thread; it calls `ended` after each job. */
export function serveJobs(handlers: Handlers): ServeThread {
  return ({ settings, port, progress, downloadLimit: limit }, ended) => {
    const downloadLimit = limit === undefined ? undefined : new RateLimit(limit);
    const running = new Map<number, AbortController>();
    const memory = new ProgressMemory(progress);
    const outbox = new Outbox<ThreadMessage>(port);

    async function start<N extends JobName>({ job, name, request, hasSpareCore }: StartMessage<N>): Promise<void> {
      const controller = new AbortController();
      running.set(job, controller);
      const context = {
        settings,
        downloadLimit,
        hasSpareCore,
        signal: controller.signal,
        tell: (notice: Notice) => outbox.push({ job, notice }),
        progress: {
          addDownloaded: (bytes: number) => memory.addDownloaded(job, bytes),
          addNar: (bytes: number) => memory.addNar(job, bytes),
          addUploaded: (bytes: number) => memory.addUploaded(job, bytes),
        },
      };
      const outcome = await outcomeOf(handlers[name], request, context);
      running.delete(job);
      outbox.push({ job, outcome });
      ended?.(name);
    }

    port.on('message', (messages: readonly JobMessage[]) => {
      for (const message of messages) {
        if (message.name === 'cancel') running.get(message.job)?.abort();
        else void start(message);
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

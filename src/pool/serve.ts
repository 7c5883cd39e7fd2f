/** A worker thread's side of the pool: turns a job's implementation into the function that Piscina calls. */
import { workerData } from 'node:worker_threads';
import { encodeError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import { JobState } from './job-state.ts';
import type { JobName, Outcome, Reply, Request, Task } from './messages.ts';

export interface JobContext {
  /** The settings of the pool that runs the job. */
  readonly settings: Settings;
  /** Aborts when the main thread cancels the job. */
  readonly signal: AbortSignal;
  /** Where progress is told: cheap enough for every chunk. */
  readonly progress: Pick<JobState, 'addDownloaded' | 'addNar'>;
}

/** The default export of a module of workers/. */
export type Handler<N extends JobName> = (task: Task<N>) => Promise<Outcome<N>>;

/** Errors become data, and cancellation becomes a signal. */
export function serve<N extends JobName>(
  run: (request: Request<N>, context: JobContext) => Promise<Reply<N>>,
): Handler<N> {
  return async ({ request, state }) => {
    const progress = new JobState(state);
    using ending = new DisposableStack();
    ending.defer(() => progress.end());
    const controller = new AbortController();
    progress.onCancelled(() => controller.abort());
    try {
      const context = { settings: workerData as Settings, signal: controller.signal, progress };
      return { ok: true, reply: await run(request, context) };
    } catch (error) {
      return { ok: false, error: encodeError(error) };
    }
  };
}

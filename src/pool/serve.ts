/** A worker thread's side of the pool: turns a job's implementation into the function that Piscina calls. */
import { encodeError } from '../errors.ts';
import type { CancelMessage, JobName, Outcome, Progress, ProgressMessage, Reply, Request, Task } from './messages.ts';

/** Progress is told this often at most, in milliseconds: a message a chunk would cost more than the chunk. */
const PROGRESS_INTERVAL = 100;

export interface JobContext<N extends JobName> {
  /** Aborts when the main thread cancels the job. */
  readonly signal: AbortSignal;
  /** Tells progress, unless some was told just now: cheap enough to call for every chunk. */
  report(progress: () => Progress<N>): void;
}

/** The default export of a module of workers/. */
export type Handler<N extends JobName> = (task: Task<N>) => Promise<Outcome<N>>;

/** Errors become data, a cancel message becomes a signal, and the port is closed whatever the job did. */
export function serve<N extends JobName>(
  run: (request: Request<N>, context: JobContext<N>) => Promise<Reply<N>>,
): Handler<N> {
  return async ({ request, port }) => {
    using closing = new DisposableStack();
    closing.defer(() => port.close());
    const controller = new AbortController();
    port.on('message', ({ reason }: CancelMessage) => controller.abort(new DOMException(reason, 'AbortError')));
    let told = performance.now();
    const report = (progress: () => Progress<N>): void => {
      const now = performance.now();
      if (now - told < PROGRESS_INTERVAL) return;
      told = now;
      port.postMessage({ type: 'progress', progress: progress() } satisfies ProgressMessage<N>);
    };
    try {
      return { ok: true, reply: await run(request, { signal: controller.signal, report }) };
    } catch (error) {
      return { ok: false, error: encodeError(error) };
    }
  };
}

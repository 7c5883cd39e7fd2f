/** The trace that a command was asked for with `--trace FILE`. */
import type { EventEmitter } from 'eventemitter3';
import type { SchedulerEvents } from '../../goals/events.ts';
import type { Reporter, Route } from '../progress/reporter.ts';
import { Trace } from './trace.ts';
import { TraceFile } from './trace-file.ts';

/** What `--trace` says in the help of a command. */
export const TRACE_HELP = 'write where the time goes, to be opened in ui.perfetto.dev or chrome://tracing';

export interface OpenTrace extends Disposable {
  follow(events: EventEmitter<SchedulerEvents>, route: Pick<Route, 'storeDir'>): void;
  /**
   * Completes the file, and says how to open it.
   *
   * @throws {UsageError} where it could not be written in full.
   */
  finish(reporter: Pick<Reporter, 'say'>): void;
}

/**
 * Opens a trace, and completes it when it is disposed, and when the process exits before.
 *
 * @param file - undefined where no trace is asked for: then there is none.
 * @throws {UsageError} where the file cannot be written.
 */
export function openTrace(file: string | undefined): OpenTrace | undefined {
  if (file === undefined) return undefined;
  const resources = new DisposableStack();
  const traceFile = resources.use(new TraceFile(file));
  const trace = resources.use(new Trace((event) => traceFile.put(event)));
  const complete = (): void => resources.dispose();
  process.on('exit', complete);
  resources.defer(() => process.off('exit', complete));
  return {
    follow: (events, route) => trace.follow(events, route),
    finish: (reporter) => {
      resources.dispose();
      if (traceFile.problem !== undefined) throw traceFile.problem;
      reporter.say('notice', `trace written to '${file}': open it in https://ui.perfetto.dev or chrome://tracing`);
    },
    [Symbol.dispose]: () => resources.dispose(),
  };
}

/** Chooses how to tell the user, from the flags and from what the standard error is. */
import { BarReporter } from './bar-reporter.ts';
import { JsonReporter } from './json-reporter.ts';
import { RawReporter } from './raw-reporter.ts';
import { type Level, type LogFormat, type Reporter, systemClock } from './reporter.ts';

/** The standard error, as node:process has it. */
export interface ErrorStream {
  readonly isTTY?: boolean | undefined;
  /** Undefined, or 0, where there is no terminal that knows its size. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

export interface ReporterOptions {
  /** By default `bar` on a terminal that can move its cursor, `raw` elsewhere. */
  readonly format?: LogFormat | undefined;
  /** By default `notice` beside a live display, `info` elsewhere. */
  readonly level?: Level | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function openReporter(stream: ErrorStream, { format, level, environment }: ReporterOptions): Reporter {
  const write = (text: string): void => void stream.write(text);
  const isLive = stream.isTTY === true && environment.TERM !== 'dumb';
  switch (format ?? (isLive ? 'bar' : 'raw')) {
    case 'internal-json':
      return new JsonReporter(write, level ?? 'info', systemClock, process.pid);
    case 'raw':
      return new RawReporter(write, level ?? 'info', systemClock);
    case 'bar': {
      const terminal = {
        get columns() {
          return stream.columns || 80;
        },
        get rows() {
          return stream.rows || 24;
        },
        write,
      };
      return new BarReporter(terminal, level ?? 'notice', systemClock);
    }
  }
}

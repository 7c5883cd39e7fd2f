/**
 * A file of trace events: one JSON array, written as it grows. Viewers also read an array that breaks off, so that even
 * the trace of a process that was killed is of use.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { UsageError } from '../../errors.ts';
import type { TraceEvent } from './trace-event.ts';

/** Characters that are kept until they are written. */
const BUFFER_SIZE = 64 * 1024;

export class TraceFile implements Disposable {
  readonly name: string;
  #descriptor: number | undefined;
  #buffer = '[';
  #separator = '\n';
  #problem: UsageError | undefined;

  /** @throws {UsageError} where the file cannot be written. */
  constructor(name: string) {
    this.name = name;
    try {
      this.#descriptor = openSync(name, 'w');
    } catch (error) {
      throw this.#cannotWrite(error);
    }
  }

  /** What kept the file from being written; from then on nothing more was. */
  get problem(): UsageError | undefined {
    return this.#problem;
  }

  /** Never throws: whoever tells of something must not fail because it cannot be written down. */
  put(event: TraceEvent): void {
    this.#buffer += this.#separator + JSON.stringify(event);
    this.#separator = ',\n';
    if (this.#buffer.length >= BUFFER_SIZE) this.#flush();
  }

  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    this.#buffer += '\n]\n';
    this.#flush();
    try {
      closeSync(this.#descriptor);
    } catch (error) {
      this.#problem ??= this.#cannotWrite(error);
    }
    this.#descriptor = undefined;
  }

  /** At once, and not in Node's thread pool: it has to work while the process exits, and a page cache takes it in 30 µs. */
  #flush(): void {
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = '';
    if (this.#descriptor === undefined || this.#problem !== undefined) return;
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      this.#problem = this.#cannotWrite(error);
    }
  }

  #cannotWrite(cause: unknown): UsageError {
    const { message } = cause as Error;
    return new UsageError(`cannot write trace '${this.name}': ${message}`, { cause });
  }
}

/**
 * How far the jobs of one thread have come, in memory that both ends see: a message a chunk would cost as much as
 * everything else that passes between the threads.
 */
import type { Progress } from './messages.ts';

/** Three counters a job, of eight bytes each. */
const COUNTERS = 3;

export class ProgressMemory {
  readonly memory: SharedArrayBuffer;
  readonly #counters: Float64Array;

  /** @param memory - what the other end has, or for how many jobs to make some. */
  constructor(memory: SharedArrayBuffer | number) {
    this.memory = typeof memory === 'number' ? new SharedArrayBuffer(memory * COUNTERS * 8) : memory;
    this.#counters = new Float64Array(this.memory);
  }

  of(job: number): Progress {
    const uploadedBytes = this.#counters[job * COUNTERS + 2]!;
    const progress = { downloadedBytes: this.#counters[job * COUNTERS]!, narBytes: this.narBytes(job) };
    return uploadedBytes === 0 ? progress : { ...progress, uploadedBytes };
  }

  narBytes(job: number): number {
    return this.#counters[job * COUNTERS + 1]!;
  }

  /** For the main thread: `job` is a new one. */
  reset(job: number): void {
    this.#counters.fill(0, job * COUNTERS, (job + 1) * COUNTERS);
  }

  /** For the worker: more bytes of `job` came over the wire. */
  addDownloaded(job: number, bytes: number): void {
    this.#counters[job * COUNTERS]! += bytes;
  }

  /** For the worker: more bytes of the NAR of `job` have been taken. */
  addNar(job: number, bytes: number): void {
    this.#counters[job * COUNTERS + 1]! += bytes;
  }

  /** For the worker: more bytes of what `job` makes went over the wire. */
  addUploaded(job: number, bytes: number): void {
    this.#counters[job * COUNTERS + 2]! += bytes;
  }
}

/**
 * What both ends of a running job see: its progress, and whether it is cancelled. It is memory they share. A message
 * channel a job would cost as much as everything else that passes between the threads, and a message a chunk more.
 */
import type { Progress } from './messages.ts';

const RUNNING = 0;
const CANCELLED = 1;
const ENDED = 2;

/** The flag takes the first eight bytes, each counter eight more. */
const SIZE = 24;

export class JobState {
  readonly memory: SharedArrayBuffer;
  readonly #flag: Int32Array;
  readonly #counters: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(SIZE)) {
    this.memory = memory;
    this.#flag = new Int32Array(memory, 0, 1);
    this.#counters = new Float64Array(memory, 8, 2);
  }

  get progress(): Progress {
    return { downloadedBytes: this.#counters[0]!, narBytes: this.#counters[1]! };
  }

  /** More bytes came over the wire. */
  addDownloaded(bytes: number): void {
    this.#counters[0]! += bytes;
  }

  /** More bytes of the NAR have been taken. */
  addNar(bytes: number): void {
    this.#counters[1]! += bytes;
  }

  /** For the main thread: the job shall stop. */
  cancel(): void {
    this.#become(CANCELLED);
  }

  /** For the worker: the job is over, and nobody needs to wait for a cancellation. */
  end(): void {
    this.#become(ENDED);
  }

  /** Calls `action` when the job is cancelled, unless it ends first. */
  onCancelled(action: () => void): void {
    const { async, value } = Atomics.waitAsync(this.#flag, 0, RUNNING);
    const decide = (): void => {
      if (Atomics.load(this.#flag, 0) === CANCELLED) action();
    };
    if (async) void value.then(decide);
    else decide();
  }

  #become(state: number): void {
    if (Atomics.compareExchange(this.#flag, 0, RUNNING, state) === RUNNING) Atomics.notify(this.#flag, 0);
  }
}

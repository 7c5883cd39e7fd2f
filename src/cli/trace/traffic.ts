/** Counters of a trace: how many transfers run and wait for a slot, and how fast bytes come. */
import type { Progress } from '../../pool/messages.ts';
import type { CounterEvent, TraceSink } from './trace-event.ts';

export interface TrafficOptions {
  readonly pid: number;
  readonly tid: number;
  readonly put: TraceSink;
}

/** Rates are averages over so many microseconds, or more where nothing is told. */
const INTERVAL = 100_000;
const SECOND = 1_000_000;
const MIB = 2 ** 20;

/** Times are microseconds from the start of the trace. */
export class Traffic {
  readonly #options: TrafficOptions;
  #queued = 0;
  #running = 0;
  #downloadedBytes = 0;
  #narBytes = 0;
  #sampled = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** So many more, or fewer, transfers wait for a slot and run. */
  change(now: number, { queued = 0, running = 0 }: { readonly queued?: number; readonly running?: number }): void {
    this.#queued += queued;
    this.#running += running;
    this.#put('transfers', now, { queued: this.#queued, running: this.#running });
  }

  /** So many more bytes have come and been unpacked. */
  add(now: number, { downloadedBytes, narBytes }: Progress): void {
    this.#downloadedBytes += downloadedBytes;
    this.#narBytes += narBytes;
    if (now - this.#sampled >= INTERVAL) this.#sample(now);
  }

  /** Brings the rates down to nothing. */
  end(now: number): void {
    if (now > this.#sampled) this.#sample(now);
    this.#sample(now);
  }

  /** Draws the rates since the last time; a value counts from its moment on, so they belong there. */
  #sample(now: number): void {
    const seconds = Math.max(1, now - this.#sampled) / SECOND;
    const rate = (bytes: number): number => Math.round((bytes * 100) / MIB / seconds) / 100;
    const rates = { downloaded: rate(this.#downloadedBytes), unpacked: rate(this.#narBytes) };
    this.#put('MiB/s', this.#sampled, rates);
    this.#sampled = now;
    this.#downloadedBytes = 0;
    this.#narBytes = 0;
  }

  #put(name: string, ts: number, args: CounterEvent['args']): void {
    this.#options.put({ ph: 'C', name, pid: this.#options.pid, tid: this.#options.tid, ts, args });
  }
}

/** What the events of a scheduler add up to: the numbers that progress displays show. */
import type { EventEmitter } from 'eventemitter3';
import type { StorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents, TransferView } from '../../goals/events.ts';
import { BuildTally } from './build-tally.ts';
import { CacheTallies } from './cache-tallies.ts';

/** A transfer that a worker has begun and not ended. */
export interface RunningTransfer extends TransferView {
  readonly downloadedBytes: number;
  /** Bytes that were unpacked. */
  readonly narBytes: number;
  /** Bytes that were uploaded, where the path is copied into a cache behind a network. */
  readonly uploadedBytes?: number | undefined;
  /** Bytes unpacked a second, since the first ones came; undefined until more have come. */
  readonly rate: number | undefined;
}

/** When the first bytes of a transfer came: it may have waited long for them. */
interface Beginning {
  readonly at: number;
  readonly narBytes: number;
}

/** Sums over all transfers that are expected, running or done; those that were given up do not count. */
export interface Totals {
  readonly paths: number;
  readonly narBytes: number;
  /** Undefined where some source does not say. */
  readonly downloadBytes: number | undefined;
}

export class Tally {
  /** By the time they began, oldest first. */
  readonly running: Map<StorePath, RunningTransfer> = new Map();
  readonly startedAt: number;
  readonly caches: CacheTallies;
  readonly builds: BuildTally;
  readonly #now: () => number;
  /** Every transfer that counts, and below what they add up to. */
  readonly #expected = new Map<StorePath, TransferView>();
  #expectedNarBytes = 0;
  #expectedDownloadBytes = 0;
  #unknownDownloads = 0;
  readonly #beginnings = new Map<StorePath, Beginning>();
  /** Goals of which it is not known yet whether they bring a transfer. */
  readonly #undecided = new Set<StorePath>();
  readonly #unpacked = new Set<StorePath>();
  #registered = 0;
  #narBytes = 0;
  #downloadedBytes = 0;
  #uploadedBytes = 0;

  /** @param now - in milliseconds, from any beginning. */
  constructor(now: () => number) {
    this.#now = now;
    this.startedAt = now();
    this.caches = new CacheTallies(now);
    this.builds = new BuildTally(now);
  }

  /** Paths that were copied, and made valid. */
  get registered(): number {
    return this.#registered;
  }

  /** Transfers that count, and have ended well. */
  get unpacked(): number {
    return this.#unpacked.size;
  }

  /** Paths that are looked up in substituters, or in the local store. */
  get undecided(): number {
    return this.#undecided.size;
  }

  get totals(): Totals {
    return {
      paths: this.#expected.size,
      narBytes: this.#expectedNarBytes,
      downloadBytes: this.#unknownDownloads > 0 ? undefined : this.#expectedDownloadBytes,
    };
  }

  /** Bytes unpacked so far. */
  get narBytes(): number {
    return this.#narBytes + sum(this.running.values(), ({ narBytes }) => narBytes);
  }

  get downloadedBytes(): number {
    return this.#downloadedBytes + sum(this.running.values(), ({ downloadedBytes }) => downloadedBytes);
  }

  get uploadedBytes(): number {
    return this.#uploadedBytes + sum(this.running.values(), ({ uploadedBytes }) => uploadedBytes ?? 0);
  }

  follow(events: EventEmitter<SchedulerEvents>): void {
    this.caches.follow(events);
    this.builds.follow(events);
    events.on('goalStarted', ({ path }) => this.#undecided.add(path));
    events.on('goalFinished', ({ path, result }) => {
      this.#undecided.delete(path);
      if (result.state !== 'succeeded') this.#forget(path);
    });
    events.on('buildExpected', ({ drvPath }) => this.#undecided.delete(drvPath));
    events.on('transferExpected', (view) => {
      this.#undecided.delete(view.path);
      this.#expect(view);
    });
    events.on('transferStarted', (view) => {
      this.#beginnings.delete(view.path);
      this.running.set(view.path, { ...view, downloadedBytes: 0, narBytes: 0, rate: undefined });
    });
    events.on('transferProgress', (progress) => {
      if (!this.running.has(progress.path)) return;
      this.running.set(progress.path, { ...progress, rate: this.#rate(progress.path, progress.narBytes) });
    });
    events.on('transferFinished', ({ path, narSize, downloadedBytes, uploadedBytes = 0 }) => {
      this.running.delete(path);
      this.#unpacked.add(path);
      this.#narBytes += narSize;
      this.#downloadedBytes += downloadedBytes;
      this.#uploadedBytes += uploadedBytes;
    });
    events.on('transferFailed', ({ path }) => {
      this.running.delete(path);
      if (this.#forget(path)) this.#undecided.add(path);
    });
    events.on('pathsRegistered', ({ paths }) => {
      for (const path of paths) if (this.#expected.has(path)) this.#registered++;
    });
  }

  #rate(path: StorePath, narBytes: number): number | undefined {
    const at = this.#now();
    const beginning = this.#beginnings.get(path);
    if (beginning === undefined && narBytes > 0) this.#beginnings.set(path, { at, narBytes });
    if (beginning === undefined || at === beginning.at) return undefined;
    return ((narBytes - beginning.narBytes) * 1000) / (at - beginning.at);
  }

  #expect(view: TransferView): void {
    this.#forget(view.path);
    this.#expected.set(view.path, view);
    this.#count(view, 1);
  }

  #forget(path: StorePath): boolean {
    const view = this.#expected.get(path);
    if (view !== undefined) this.#count(view, -1);
    this.#unpacked.delete(path);
    return this.#expected.delete(path);
  }

  #count({ narSize, downloadSize }: TransferView, sign: 1 | -1): void {
    this.#expectedNarBytes += sign * narSize;
    this.#expectedDownloadBytes += sign * (downloadSize ?? 0);
    if (downloadSize === undefined) this.#unknownDownloads += sign;
  }
}

function sum<T>(items: Iterable<T>, value: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += value(item);
  return total;
}

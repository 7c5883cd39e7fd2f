/** Takes down transfers and commits while they happen, and tells how far they have come. */
import type { StorePath } from '../../formats/store-path.ts';
import { type CommitRecord, clock, spanOfTransfer, type TransferRecord, type TransferRun } from './records.ts';

/** How much has come so far. */
export interface TransferProgress {
  readonly paths: number;
  /** Of NARs, those that are still under way included. */
  readonly narBytes: number;
}

export class TransferRecorder {
  readonly #transfers: TransferRecord[] = [];
  readonly #commits: CommitRecord[] = [];
  /** Bytes so far of what is under way. */
  readonly #running = new Map<StorePath, number>();
  readonly #onProgress: (progress: TransferProgress) => void;
  #narBytes = 0;

  constructor(onProgress: (progress: TransferProgress) => void) {
    this.#onProgress = onProgress;
  }

  /** So much of a NAR has come by now. */
  move(path: StorePath, narBytes: number): void {
    this.#narBytes += narBytes - (this.#running.get(path) ?? 0);
    this.#running.set(path, narBytes);
    this.#tell();
  }

  finish(transfer: TransferRecord): void {
    this.#narBytes += transfer.narSize - (this.#running.get(transfer.path) ?? 0);
    this.#running.delete(transfer.path);
    this.#transfers.push(transfer);
    this.#tell();
  }

  /** A transaction has ended just now. */
  commit(paths: number, milliseconds: number): void {
    const ended = clock();
    this.#commits.push({ started: ended - milliseconds, ended, paths });
  }

  /** All of it. It lasts from when a thread took the first path up: starting threads does not count. */
  run(threads: number): TransferRun {
    let [started, ended] = [Infinity, -Infinity];
    for (const transfer of this.#transfers) {
      const span = spanOfTransfer(transfer);
      started = Math.min(started, span.started);
      ended = Math.max(ended, span.ended);
    }
    for (const commit of this.#commits) ended = Math.max(ended, commit.ended);
    return { started, ended, transfers: this.#transfers, commits: this.#commits, threads };
  }

  #tell(): void {
    this.#onProgress({ paths: this.#transfers.length, narBytes: this.#narBytes });
  }
}

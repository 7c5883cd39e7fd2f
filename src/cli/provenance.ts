/**
 * The record that `--provenance FILE` asks for: a line of JSON for each path that was made valid, which says where it
 * came from and what spoke for it. A line is written when its path is registered, so that a run that was killed leaves
 * whole lines, and none of a path that is not there.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { EventEmitter } from 'eventemitter3';
import { UsageError } from '../errors.ts';
import { printHash } from '../formats/hash.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';

/** What `--provenance` says in the help of a command. */
export const PROVENANCE_HELP = 'write where each path came from, and who signed it, as lines of JSON';

type Finished = SchedulerEvents['transferFinished'][0];

/** A cache that was of no use for the path before another one was. */
interface EarlierFailure {
  readonly cache: string;
  readonly code: string;
  readonly message: string;
}

export class Provenance implements Disposable {
  readonly #file: string;
  readonly #now: () => Date;
  #descriptor: number | undefined;
  #problem: UsageError | undefined;
  /** What is unpacked, and not valid yet. */
  readonly #finished = new Map<StorePath, Finished>();
  readonly #failures = new Map<StorePath, EarlierFailure[]>();

  /**
   * Begins the file, in place of what it held.
   *
   * @throws {UsageError} where it cannot be written.
   */
  constructor(file: string, now: () => Date = () => new Date()) {
    this.#file = file;
    this.#now = now;
    try {
      this.#descriptor = openSync(file, 'w');
    } catch (error) {
      throw this.#cannotWrite(error);
    }
  }

  follow(events: EventEmitter<SchedulerEvents>, { storeDir }: { readonly storeDir: StoreDir }): void {
    events.on('substituterFailed', ({ path, substituter, error: { code, message } }) => {
      const failures = this.#failures.get(path) ?? [];
      this.#failures.set(path, [...failures, { cache: substituter, code, message }]);
    });
    events.on('transferFinished', (finished) => this.#finished.set(finished.path, finished));
    events.on('goalFinished', ({ path, result }) => {
      if (result.state !== 'succeeded') this.#take(path);
    });
    events.on('pathsRegistered', ({ paths }) => {
      const at = this.#now().toISOString();
      this.#write(paths.map((path) => this.#line(storeDir, path, at)).join(''));
    });
  }

  /**
   * To be called once all has ended.
   *
   * @throws {UsageError} where not everything could be written.
   */
  finish(): void {
    this[Symbol.dispose]();
    if (this.#problem !== undefined) throw this.#problem;
  }

  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    try {
      closeSync(this.#descriptor);
    } catch (error) {
      this.#problem ??= this.#cannotWrite(error);
    }
    this.#descriptor = undefined;
  }

  #line(storeDir: StoreDir, path: StorePath, at: string): string {
    const { finished, failures } = this.#take(path);
    if (finished === undefined) return '';
    const { substituter, voucher, narHash, narSize, downloadedBytes, timings, retries } = finished;
    const { wait, unpack, decode, hash, write } = timings;
    const line = {
      path: printStorePath(storeDir, path),
      cache: substituter,
      trustedBy: voucher.by,
      key: voucher.by === 'signature' ? voucher.key : null,
      narHash: printHash(narHash, 'sri'),
      narSize,
      downloadedBytes,
      timings: rounded({ wait, unpack, decode, hash, write }),
      retries,
      failures,
      at,
    };
    return `${JSON.stringify(line)}\n`;
  }

  /** What is known of a path, which ends here. */
  #take(path: StorePath): { readonly finished: Finished | undefined; readonly failures: readonly EarlierFailure[] } {
    const [finished, failures = []] = [this.#finished.get(path), this.#failures.get(path)];
    this.#finished.delete(path);
    this.#failures.delete(path);
    return { finished, failures };
  }

  /** Whoever tells of something must not fail because it cannot be written down. */
  #write(text: string): void {
    if (this.#descriptor === undefined || this.#problem !== undefined) return;
    const bytes = Buffer.from(text);
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      this.#problem = this.#cannotWrite(error);
    }
  }

  #cannotWrite(cause: unknown): UsageError {
    return new UsageError(`cannot write provenance '${this.#file}': ${(cause as Error).message}`, { cause });
  }
}

/** Milliseconds, to the microsecond. */
function rounded(durations: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(durations).map(([name, duration]) => [name, Math.round(duration * 1000) / 1000]),
  );
}

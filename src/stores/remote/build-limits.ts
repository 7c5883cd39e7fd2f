/** Limits of a build elsewhere, looked after on this side: they hold with every protocol, and where the peer hangs. */
import type { BuildResult, BuildStatus } from '../../formats/build-result.ts';
import type { BuildOptions } from '../build-store.ts';

/** Aborts when a build has gone too far. */
export class BuildLimits implements Disposable {
  readonly #controller = new AbortController();
  readonly #options: BuildOptions;
  readonly #scope = new DisposableStack();
  #startTime = 0;
  readonly #grace: number;
  #silence: NodeJS.Timeout | undefined;
  #logSize = 0;
  #exceeded: { readonly status: BuildStatus; readonly message: string } | undefined;

  /** @param grace - seconds by which limits of time are longer, as the other side knows them, too. */
  constructor(options: BuildOptions, grace: number) {
    this.#options = options;
    this.#grace = grace;
  }

  /** The build begins: it does not count how long it has waited for a connection. */
  begin(): void {
    const { timeout = 0, maxSilentTime = 0 } = this.#options;
    this.#startTime = Math.floor(Date.now() / 1000);
    if (timeout > 0) {
      const timer = this.#after(timeout, `it has taken longer than ${timeout} s`);
      this.#scope.defer(() => clearTimeout(timer));
    }
    this.#awaitLine(maxSilentTime);
    this.#scope.defer(() => clearTimeout(this.#silence));
  }

  /** The caller's signal, and that of the limits. */
  get signal(): AbortSignal {
    const { signal } = this.#controller;
    return this.#options.signal === undefined ? signal : AbortSignal.any([signal, this.#options.signal]);
  }

  /** The builder has printed a line. */
  line(line: string): void {
    this.#logSize += Buffer.byteLength(line) + 1;
    const { maxLogSize = 0, maxSilentTime = 0 } = this.#options;
    this.#awaitLine(maxSilentTime);
    if (maxLogSize > 0 && this.#logSize > maxLogSize) {
      this.#exceed('logLimitExceeded', `its log is longer than ${maxLogSize} bytes`);
      return;
    }
    this.#options.onLogLine?.(line);
  }

  /**
   * What has become of a build that was ended for a limit.
   *
   * @throws `error` where it was not.
   */
  result(error: unknown): BuildResult {
    if (this.#exceeded === undefined || this.#options.signal?.aborted) throw error;
    return {
      ...this.#exceeded,
      timesBuilt: 1,
      isNonDeterministic: false,
      startTime: this.#startTime,
      stopTime: Math.floor(Date.now() / 1000),
      builtOutputs: new Map(),
    };
  }

  [Symbol.dispose](): void {
    this.#scope.dispose();
  }

  #awaitLine(maxSilentTime: number): void {
    if (maxSilentTime === 0) return;
    clearTimeout(this.#silence);
    this.#silence = this.#after(maxSilentTime, `its builder has been silent for ${maxSilentTime} s`);
  }

  #after(seconds: number, problem: string): NodeJS.Timeout {
    // What is longer than a timer can be is no limit that anybody meets.
    const milliseconds = Math.min((seconds + this.#grace) * 1000, 2 ** 31 - 1);
    return setTimeout(() => this.#exceed('timedOut', problem), milliseconds);
  }

  #exceed(status: BuildStatus, problem: string): void {
    this.#exceeded ??= { status, message: `it was ended because ${problem}` };
    this.#controller.abort();
  }
}

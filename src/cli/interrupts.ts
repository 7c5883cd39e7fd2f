/** Ctrl-C: the first time work is aborted and cleans up, the second time the process ends at once. */

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as SignalName[];

export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #onFirst: () => void;
  readonly #handler = (name: SignalName): void => this.#interrupt(name);
  /** What the process ends with, once it was interrupted. */
  exitCode: number | undefined;

  /** @param onFirst - called before `signal` aborts. */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst;
    for (const name of SIGNALS) process.on(name, this.#handler);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#handler);
  }

  #interrupt(name: SignalName): void {
    if (this.exitCode !== undefined) process.exit(EXIT_CODES[name]);
    this.exitCode = EXIT_CODES[name];
    this.#onFirst();
    this.#controller.abort();
  }
}

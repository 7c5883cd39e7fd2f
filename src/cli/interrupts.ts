/** Ctrl-C: the first time work is aborted and cleans up, the second time the process ends at once. */

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type SignalName = keyof typeof EXIT_CODES;
const SIGNALS = Object.keys(EXIT_CODES) as SignalName[];

export interface InterruptHandlers {
  /** Called before `signal` aborts. */
  first(): void;
  /** Called before the process ends. */
  second(): void;
}

export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #handlers: InterruptHandlers;
  readonly #listener = (name: SignalName): void => this.#interrupt(name);
  /** What the process ends with, once it was interrupted. */
  exitCode: number | undefined;

  constructor(handlers: InterruptHandlers) {
    this.#handlers = handlers;
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }

  #interrupt(name: SignalName): void {
    if (this.exitCode !== undefined) {
      this.#handlers.second();
      process.exit(EXIT_CODES[name]);
    }
    this.exitCode = EXIT_CODES[name];
    this.#handlers.first();
    this.#controller.abort();
  }
}

/** Those who wait for something, by priority: who has the highest is served first, and of equals who came first. */
import TinyQueue from 'tinyqueue';

/** Looked at again whenever {@link TurnsOptions.version} changes, where it is a function. */
export type Priority = number | (() => number);

interface Waiter<T> {
  readonly weigh: Priority;
  /** What `weigh` came to last. */
  priority: number;
  /** Counts up. */
  readonly turn: number;
  readonly wake: (value: T) => void;
  left: boolean;
}

const isBefore = (a: Waiter<never>, b: Waiter<never>): number => b.priority - a.priority || a.turn - b.turn;
const weigh = (priority: Priority): number => (typeof priority === 'number' ? priority : priority());

export interface TurnsOptions {
  /** Asked before anybody is served: another number than before says that priorities have changed. */
  readonly version?: (() => number) | undefined;
}

/** @typeParam T - what each is given when it is served. */
export class Turns<T = void> {
  readonly #version: (() => number) | undefined;
  #ordered = 0;
  /** Whether any priority can change: asking for the version may cost something. */
  #isChanging = false;
  #turns = 0;
  #waiting = 0;
  #queue = new TinyQueue<Waiter<T>>([], isBefore);

  constructor({ version }: TurnsOptions = {}) {
    this.#version = version;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits to be served.
   *
   * @throws the signal's reason, if it aborts before.
   */
  wait(signal: AbortSignal | undefined, priority: Priority): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const leave = (): void => {
      waiter.left = true;
      this.#waiting--;
    };
    const abort = (): void => {
      leave();
      reject(signal!.reason);
    };
    const wake = (value: T): void => {
      leave();
      signal?.removeEventListener('abort', abort);
      resolve(value);
    };
    const waiter: Waiter<T> = { weigh: priority, priority: weigh(priority), turn: this.#turns++, wake, left: false };
    signal?.addEventListener('abort', abort, { once: true });
    if (typeof priority === 'function') this.#isChanging = true;
    this.#waiting++;
    this.#queue.push(waiter);
    return promise;
  }

  /** The priority of the one that is served next; undefined where nobody waits. */
  get nextPriority(): number | undefined {
    this.#order();
    while (this.#queue.peek()?.left) this.#queue.pop();
    return this.#queue.peek()?.priority;
  }

  /** Serves the next; false where nobody waits. */
  wakeNext(value: T): boolean {
    this.#order();
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      if (next.left) continue;
      next.wake(value);
      return true;
    }
    return false;
  }

  #order(): void {
    if (this.#version === undefined || !this.#isChanging || this.#waiting === 0) return;
    const version = this.#version();
    if (version === this.#ordered) return;
    this.#ordered = version;
    const waiting = this.#queue.data.filter(({ left }) => !left);
    for (const waiter of waiting) waiter.priority = weigh(waiter.weigh);
    this.#queue = new TinyQueue(waiting, isBefore);
  }
}

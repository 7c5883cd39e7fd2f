/**
 * Brings staged paths into an order in which they can be registered: references first, as many as are ready in one
 * batch. One batch is under way at a time; what gets ready meanwhile makes the next.
 */
import { StoreError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { LocalStore, StagedPath } from '../stores/local-store.ts';

/** How often staged paths are searched for circles, in milliseconds: seldom, since only a broken substituter has any. */
const CYCLE_INTERVAL = 1_000;

interface Entry {
  readonly staged: StagedPath;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  /** References that are neither valid nor ready. */
  missing: number;
  state: 'waiting' | 'ready' | 'taken' | 'withdrawn';
}

export interface RegistrarOptions {
  readonly store: Pick<LocalStore, 'registerStaged'>;
  readonly onRegistered?: (paths: readonly StorePath[], milliseconds: number) => void;
}

export class Registrar {
  readonly #store: RegistrarOptions['store'];
  readonly #onRegistered: RegistrarOptions['onRegistered'];
  /** Valid, or in the queue before whatever comes next. */
  readonly #settled = new Set<StorePath>();
  readonly #waiting = new Set<Entry>();
  /** Who waits for a path. */
  readonly #waitingFor = new Map<StorePath, Entry[]>();
  #ready: Entry[] = [];
  #cycleWatch: NodeJS.Timeout | undefined;
  #registering = false;

  constructor({ store, onRegistered }: RegistrarOptions) {
    this.#store = store;
    this.#onRegistered = onRegistered;
  }

  /** A path that is valid already: whoever refers to it need not wait for it. */
  markValid(path: StorePath): void {
    this.#settle(path);
  }

  /**
   * Registers `staged` once every path it refers to is valid, or in the same batch before it.
   *
   * @throws why it could not be registered; the reason of `signal`, whose abort withdraws what is not yet taken up.
   */
  register(staged: StagedPath, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry: Entry = { staged, resolve, reject, missing: 0, state: 'waiting' };
    signal.addEventListener('abort', () => this.#withdraw(entry, signal.reason), { once: true });
    for (const reference of staged.info.references) {
      if (reference === staged.info.path || this.#settled.has(reference)) continue;
      entry.missing++;
      const waiting = this.#waitingFor.get(reference);
      if (waiting === undefined) this.#waitingFor.set(reference, [entry]);
      else waiting.push(entry);
    }
    this.#waiting.add(entry);
    if (entry.missing === 0) this.#makeReady(entry);
    this.#watchForCycles();
    return promise;
  }

  /** Paths that refer to each other in a circle would wait for ever. */
  #watchForCycles(): void {
    if (this.#waiting.size === 0 || this.#cycleWatch !== undefined) return;
    this.#cycleWatch = setTimeout(() => {
      this.#cycleWatch = undefined;
      this.#rejectCycles();
      this.#watchForCycles();
    }, CYCLE_INTERVAL);
  }

  #rejectCycles(): void {
    const waiting = new Map([...this.#waiting].map((entry) => [entry.staged.info.path, entry]));
    const blocked = ({ staged: { info } }: Entry): StorePath | undefined =>
      info.references.find((reference) => reference !== info.path && waiting.has(reference));
    // Following any one blocking reference from anywhere ends in a circle, or at somebody who waits for another reason.
    const done = new Set<Entry>();
    for (const start of this.#waiting) {
      const chain = new Set<Entry>();
      let entry: Entry | undefined = start;
      while (entry !== undefined && !done.has(entry) && !chain.has(entry)) {
        chain.add(entry);
        entry = waiting.get(blocked(entry)!);
      }
      if (entry !== undefined && chain.has(entry)) this.#rejectCycle([...chain].slice([...chain].indexOf(entry)));
      for (const each of chain) done.add(each);
    }
  }

  /** Forgets which paths are valid; they may be collected from now on. */
  clear(): void {
    this.#settled.clear();
  }

  #rejectCycle(cycle: readonly Entry[]): void {
    const names = cycle.map(({ staged }) => staged.info.path);
    const error = new StoreError(`references form a cycle: ${[...names, names[0]].join(' → ')}`, {
      hint: 'no store can hold such paths; the substituter that announces them is broken',
    });
    for (const entry of cycle) this.#withdraw(entry, error);
  }

  #withdraw(entry: Entry, reason: unknown): void {
    if (entry.state === 'taken' || entry.state === 'withdrawn') return;
    if (entry.state === 'ready') this.#ready = this.#ready.filter((each) => each !== entry);
    entry.state = 'withdrawn';
    this.#stopWaiting(entry);
    this.#settled.delete(entry.staged.info.path);
    entry.reject(reason);
  }

  #makeReady(entry: Entry): void {
    this.#enqueue(entry);
    this.#settle(entry.staged.info.path);
  }

  /** Lets those go on who wait for `path`, and those who wait for them. */
  #settle(path: StorePath): void {
    const unsettled = [path];
    for (let next = unsettled.pop(); next !== undefined; next = unsettled.pop()) {
      this.#settled.add(next);
      const waiting = this.#waitingFor.get(next) ?? [];
      this.#waitingFor.delete(next);
      for (const entry of waiting) {
        entry.missing--;
        if (entry.missing > 0 || entry.state !== 'waiting') continue;
        this.#enqueue(entry);
        unsettled.push(entry.staged.info.path);
      }
    }
  }

  #enqueue(entry: Entry): void {
    entry.state = 'ready';
    this.#stopWaiting(entry);
    this.#ready.push(entry);
    if (this.#registering) return;
    this.#registering = true;
    // After this turn of the loop: whatever else it makes ready comes into the same batch.
    setImmediate(() => void this.#registerReady());
  }

  #stopWaiting(entry: Entry): void {
    this.#waiting.delete(entry);
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#cycleWatch);
    this.#cycleWatch = undefined;
  }

  async #registerReady(): Promise<void> {
    while (this.#ready.length > 0) {
      const batch = this.#ready;
      this.#ready = [];
      for (const entry of batch) entry.state = 'taken';
      await this.#registerBatch(batch);
    }
    this.#registering = false;
  }

  async #registerBatch(batch: readonly Entry[]): Promise<void> {
    const started = performance.now();
    try {
      const outcomes = await this.#store.registerStaged(batch.map(({ staged }) => staged));
      const registered: StorePath[] = [];
      for (const [index, outcome] of outcomes.entries()) {
        const entry = batch[index]!;
        if (outcome.state === 'failed') this.#failed(entry, outcome.error);
        else {
          registered.push(outcome.path);
          entry.resolve();
        }
      }
      this.#onRegistered?.(registered, performance.now() - started);
    } catch (error) {
      for (const entry of batch) this.#failed(entry, error);
    }
  }

  #failed(entry: Entry, error: unknown): void {
    this.#settled.delete(entry.staged.info.path);
    entry.reject(error);
  }
}

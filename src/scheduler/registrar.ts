/**
 * Brings staged paths into an order in which they can be registered: references first, as many as are ready in one
 * batch. What gets ready while a batch is under way makes the next.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { LocalStore, RegisterOutcome, StagedPath } from '../stores/local-store.ts';

/** How often staged paths are searched for circles, in milliseconds: seldom, since only a broken substituter has any. */
const CYCLE_INTERVAL = 1_000;

/** How long a batch may keep the next one waiting, in milliseconds. */
const PATIENCE = 250;

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
  /** Paths of batches whose outcome is not known yet. */
  readonly #underWay = new Set<StorePath>();

  constructor({ store, onRegistered }: RegistrarOptions) {
    this.#store = store;
    this.#onRegistered = onRegistered;
  }

  /** A path that is valid already: whoever refers to it need not wait for it. */
  markValid(path: StorePath): void {
    this.#settle(path);
  }

  /**
   * Registers `staged` once every path it refers to is valid, or in the same batch before it; with all that is to become
   * valid together with it, which is registered by calls of their own.
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
    const { together } = entry.staged;
    if (together === undefined) return;
    const others = [...this.#waiting, ...this.#ready].filter(({ staged }) => together.includes(staged.info.path));
    for (const other of others) this.#withdraw(other, reason);
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
    this.#start();
  }

  #start(): void {
    if (this.#registering || this.#ready.length === 0) return;
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
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      // A path that another process is making at this moment may keep its batch waiting for long: others go on.
      await Promise.race([this.#registerBatch(batch), delay(PATIENCE, undefined, { ref: false })]);
    }
    this.#registering = false;
  }

  /** What can be registered now, in order: what refers to a path of a batch under way stays behind. */
  #takeBatch(): readonly Entry[] {
    const behind = this.#whatStaysBehind();
    const batch = this.#ready.filter(({ staged }) => !behind.has(staged.info.path));
    this.#ready = this.#ready.filter(({ staged }) => behind.has(staged.info.path));
    for (const entry of batch) {
      entry.state = 'taken';
      this.#underWay.add(entry.staged.info.path);
    }
    return batch;
  }

  #whatStaysBehind(): Set<StorePath> {
    const behind = new Set(this.#underWay);
    for (let before = -1; before < behind.size; ) {
      before = behind.size;
      for (const { staged } of this.#ready) {
        const { path, references } = staged.info;
        const waits = behind.size > 0 && references.some((reference) => reference !== path && behind.has(reference));
        const lacks = staged.together?.some((other) => behind.has(other) || !this.#settled.has(other)) === true;
        if (waits || lacks) behind.add(path);
      }
    }
    return behind;
  }

  async #registerBatch(batch: readonly Entry[]): Promise<void> {
    const started = performance.now();
    const entries = new Map(batch.map((entry) => [entry.staged.info.path, entry]));
    const registered: StorePath[] = [];
    const onOutcome = (outcome: RegisterOutcome): void => {
      const entry = entries.get(outcome.path)!;
      entries.delete(outcome.path);
      this.#underWay.delete(outcome.path);
      if (outcome.state === 'failed') {
        this.#failed(entry, outcome.error);
        return;
      }
      registered.push(outcome.path);
      entry.resolve();
    };
    try {
      await this.#store.registerStaged(
        batch.map(({ staged }) => staged),
        { onOutcome },
      );
    } catch (error) {
      for (const [path, entry] of entries) {
        this.#underWay.delete(path);
        this.#failed(entry, error);
      }
    }
    this.#onRegistered?.(registered, performance.now() - started);
    this.#start();
  }

  #failed(entry: Entry, error: unknown): void {
    this.#settled.delete(entry.staged.info.path);
    entry.reject(error);
  }
}

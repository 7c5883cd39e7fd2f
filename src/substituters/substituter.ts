/** A store to substitute from, and how well that goes: what is learnt of it decides when others are asked in its place. */
import { asSluiceError, type SluiceError, TimedOutError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import { BinaryCacheStore } from '../stores/binary-cache-store.ts';
import type { InfoOptions, Store } from '../stores/store.ts';
import { CircuitBreaker, type CircuitBreakerOptions } from './circuit-breaker.ts';
import { Latency } from './latency.ts';
import { Question, type Respondent } from './question.ts';

/** Before anything is known, an answer is late after so many milliseconds. */
const UNKNOWN_PATIENCE = 1_000;
/** Never sooner: what takes no longer may be this process's own business. */
const LEAST_PATIENCE = 250;
/** An answer that takes so many times what is usual is late. */
const LATE = 4;

export interface SubstituterOptions extends CircuitBreakerOptions {
  /** Setting `connect-timeout`, in seconds; 0 for none. An answer is late after a quarter of it, at most. */
  readonly connectTimeout: number;
  /** Requests that are under way at once; more wait for their turn in this process. 0 where there is no limit. */
  readonly connections: number;
}

export class Substituter implements Respondent {
  readonly store: Store;
  readonly uri: string;
  /** The smallest is asked first; undefined where it is not known yet. */
  priority: number | undefined;
  /** Of questions. */
  readonly breaker: CircuitBreaker;
  /** Of transfers: a cache may well answer questions, and deliver nothing. */
  readonly transfers: CircuitBreaker;
  readonly #latency = new Latency();
  readonly #connectTimeout: number;
  readonly #connections: number;
  readonly #now: () => number;
  /** Questions that others can answer. */
  readonly #impatient = new Set<Question>();
  #underWay = 0;
  #overdue = 0;
  #lastAnswer = Number.NEGATIVE_INFINITY;
  #probe: Promise<unknown> | undefined;

  constructor(store: Store, options: SubstituterOptions) {
    this.store = store;
    this.uri = store.uri;
    this.breaker = new CircuitBreaker({
      ...options,
      onOpened: (error, milliseconds) => {
        options.onOpened?.(error, milliseconds);
        for (const question of this.#impatient) question.giveUp(error);
      },
    });
    this.transfers = new CircuitBreaker(options);
    this.#connectTimeout = options.connectTimeout * 1000 || Number.POSITIVE_INFINITY;
    this.#connections = options.connections || Number.POSITIVE_INFINITY;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether its paths are taken without a signature. */
  get trusted(): boolean {
    return this.store.trusted ?? false;
  }

  /** Whether it likes to be asked for many paths that it may not have. */
  async wantsMassQuery(): Promise<boolean> {
    if (!(this.store instanceof BinaryCacheStore)) return false;
    try {
      return (await this.store.queryCacheInfo({ impatient: true })).wantMassQuery;
    } catch (thrown) {
      this.failedToAnswer(asSluiceError(thrown));
      return false;
    }
  }

  /** Whether others are to be asked first. */
  get isResting(): boolean {
    return this.breaker.isResting || this.transfers.isResting;
  }

  /** For how many milliseconds an answer may take. */
  get patience(): number {
    const { typical } = this.#latency;
    const usual = typical === undefined ? UNKNOWN_PATIENCE : Math.max(LEAST_PATIENCE, LATE * typical);
    return Math.min(usual, this.#connectTimeout / 4);
  }

  get isOverdue(): boolean {
    return this.#overdue > 0;
  }

  /** Where more is asked than there are connections, an answer could have come since the last one came. */
  waitsSince(asked: number): number {
    return this.#underWay > this.#connections ? Math.max(asked, this.#lastAnswer) : asked;
  }

  overdue(change: 1 | -1): void {
    this.#overdue += change;
  }

  outdone(asked: number): void {
    // It answers others, and so will answer this.
    if (this.#lastAnswer > asked) return;
    const waited = Math.round(this.#now() - asked);
    this.breaker.failed(new TimedOutError(`'${this.uri}' has not answered for ${waited} ms`));
  }

  /** Asks what it knows of a path, where others can be asked as well: given up when this one is set aside. */
  ask(path: StorePath, options: InfoOptions): Question {
    const question = new Question(this, this.#now, () => this.query(path, { ...options, impatient: true }));
    this.#impatient.add(question);
    const forget = (): boolean => this.#impatient.delete(question);
    question.answer.then(forget, forget);
    return question;
  }

  /**
   * Runs a request that nobody else can answer. While it is set aside only one such request is made, and where that
   * fails, it fails for all who wait.
   */
  patiently<T>(request: () => Promise<T>): Promise<T> {
    const isDown = this.breaker.isOpen && this.breaker.reason?.transient;
    return isDown ? this.#oneForAll(request) : request();
  }

  async #oneForAll<T>(request: () => Promise<T>): Promise<T> {
    if (this.#probe === undefined) {
      const probe = request();
      const done = (): void => {
        this.#probe = undefined;
      };
      this.#probe = probe;
      probe.then(done, done);
      return probe;
    }
    try {
      await this.#probe;
    } catch (error) {
      if (asSluiceError(error).transient) throw error; // what is wrong with one path says nothing of another
    }
    return request();
  }

  /** A transfer has come to its end, well or not; `undefined` where it was given up for another reason. */
  transferred(outcome: 'delivered' | SluiceError | undefined): void {
    if (outcome === undefined) this.transfers.untried();
    else if (outcome === 'delivered') this.transfers.succeeded();
    else if (outcome.code === 'ERR_TIMED_OUT')
      this.transfers.trip(outcome); // it has cost enough time
    else this.transfers.failed(outcome);
  }

  /** A question could not be answered. */
  failedToAnswer(error: SluiceError): void {
    // Not a binary cache at all, or one of another store directory.
    if (error.code === 'ERR_STORE' && this.store instanceof BinaryCacheStore) this.breaker.disable(error);
    else this.breaker.failed(error);
  }

  /** Asks what it knows of a path, and learns from how that goes. */
  async query(path: StorePath, options: InfoOptions): Promise<PathInfo | undefined> {
    const asked = this.#now();
    let remembered = false;
    const onRemembered = (): void => {
      remembered = true;
    };
    this.#underWay++;
    try {
      const info = await this.store.queryPathInfo(path, { ...options, onRemembered });
      if (remembered) this.breaker.untried();
      else this.#answered(asked);
      return info;
    } catch (thrown) {
      if (options.signal?.aborted) this.breaker.untried();
      else this.failedToAnswer(asSluiceError(thrown));
      throw thrown;
    } finally {
      this.#underWay--;
    }
  }

  #answered(asked: number): void {
    this.#lastAnswer = this.#now();
    const took = this.#lastAnswer - asked;
    const isLate = took > this.patience;
    this.#latency.add(took);
    // Who was set aside for being late, and still is, stays aside.
    if (isLate && this.breaker.isOpen) this.breaker.untried();
    else this.breaker.succeeded();
  }
}

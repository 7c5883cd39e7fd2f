/**
 * Whether a substituter is worth asking. After some failures in a row it is set aside for a while; then one request is
 * let through to try it, and what comes of that decides.
 */
import type { SluiceError } from '../errors.ts';

/** Failures in a row that open the circuit: a single one may be chance. */
const THRESHOLD = 3;
/** For how long it is open the first time, in milliseconds; twice as long each further time. */
const FIRST = 1_000;
const LONGEST = 60_000;

export interface CircuitBreakerOptions {
  /** Milliseconds from any beginning; never goes back. */
  readonly now?: (() => number) | undefined;
  /** From 0 to 1. */
  readonly random?: (() => number) | undefined;
  /** The circuit is open for so many milliseconds; `Infinity` where it stays so. */
  readonly onOpened?: ((error: SluiceError, milliseconds: number) => void) | undefined;
  readonly onClosed?: (() => void) | undefined;
}

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  /** How often it was opened since it last worked. */
  #openings = 0;
  #openUntil: number | undefined;
  /** Whether the request that tries it is under way. */
  #trying = false;
  #reason: SluiceError | undefined;

  constructor(options: CircuitBreakerOptions = {}) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
  }

  /** Whether requests are better made elsewhere. */
  get isOpen(): boolean {
    return this.#openUntil !== undefined;
  }

  /** Whether it will never close again. */
  get isDisabled(): boolean {
    return this.#openUntil === Number.POSITIVE_INFINITY;
  }

  /** Whether it is not even time to try. */
  get isResting(): boolean {
    return this.#openUntil !== undefined && (this.#trying || this.#now() < this.#openUntil);
  }

  /** Why it was opened last. */
  get reason(): SluiceError | undefined {
    return this.#reason;
  }

  /** Whether to make a request now. Where it has been set aside for long enough, the one who asks is the one to try. */
  allows(): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.#trying || this.#now() < this.#openUntil) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    if (this.#openUntil === undefined || this.isDisabled) return;
    this.#openings = 0;
    this.#openUntil = undefined;
    this.#trying = false;
    this.#options.onClosed?.();
  }

  /** @param error - where the peer said when to come again, that is respected. */
  failed(error: SluiceError): void {
    this.#failures++;
    if (this.#openUntil !== undefined) {
      // What was under way when it opened says nothing new.
      if (this.#trying) this.#open(error);
      return;
    }
    if (this.#failures >= THRESHOLD || error.retryAfter !== undefined) this.#open(error);
  }

  /** Opens it at once, whatever went before. */
  trip(error: SluiceError): void {
    if (this.isOpen) this.failed(error);
    else this.#open(error);
  }

  /** The one who was to try it has given up for another reason: the next may. */
  untried(): void {
    this.#trying = false;
  }

  /** Opens it for good: trying again would change nothing. */
  disable(error: SluiceError): void {
    if (this.isDisabled) return;
    this.#reason = error;
    this.#openUntil = Number.POSITIVE_INFINITY;
    this.#options.onOpened?.(error, Number.POSITIVE_INFINITY);
  }

  #open(error: SluiceError): void {
    if (this.isDisabled) return;
    const longest = Math.min(LONGEST, FIRST * 2 ** this.#openings);
    // At random, so that many programs do not come back at the same moment.
    const chosen = longest * (0.5 + this.#random() / 2);
    const milliseconds = Math.max(chosen, Math.min(error.retryAfter ?? 0, LONGEST));
    this.#openings++;
    this.#reason = error;
    this.#trying = false;
    this.#openUntil = this.#now() + milliseconds;
    this.#options.onOpened?.(error, milliseconds);
  }
}

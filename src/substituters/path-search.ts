/**
 * Finds out which substituters have a path. They are asked in order; the next one on a miss or a failure, and also
 * where the answer is late. Whoever failed for a passing reason, or was set aside, is asked again with patience when
 * nobody else has helped, as is whoever is only remembered to lack the path.
 */
import { asSluiceError, type SluiceError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import { BinaryCacheStore } from '../stores/binary-cache-store.ts';
import type { Question } from './question.ts';
import type { Substituter } from './substituter.ts';

/** In seconds: what has been known to be missing for longer is asked again before it counts. */
const FRESH = 60;
/** Errors after which a substituter may have something else to say than is remembered of it. */
const OUTDATED: ReadonlySet<string> = new Set([
  'ERR_FORMAT',
  'ERR_HASH_MISMATCH',
  'ERR_INVALID_PATH',
  'ERR_SUBSTITUTE_GONE',
  'ERR_UNTRUSTED',
]);

/** Who has the path. */
export interface Candidate {
  readonly substituter: Substituter;
  readonly info: PathInfo;
  /** Whether there are others to turn to: its transfer is given up early then. */
  readonly impatient: boolean;
}

/** Who has the path, and whether the answer was late. */
interface Found extends Candidate {
  readonly isLate: boolean;
}

export interface SearchOptions {
  readonly signal: AbortSignal;
  /** A substituter has answered, so many milliseconds after it was asked. */
  readonly onAnswer?: ((substituter: Substituter, milliseconds: number, found: boolean) => void) | undefined;
  /** A question that failed is asked again. */
  readonly onRetry?: ((substituter: Substituter, error: SluiceError) => void) | undefined;
  /** A substituter could not say. */
  readonly onFailure?: ((substituter: Substituter, error: SluiceError) => void) | undefined;
}

export class PathSearch {
  readonly #path: StorePath;
  readonly #options: SearchOptions;
  /** Still to be asked in this round. */
  readonly #order: Substituter[];
  /** To be asked when this round has brought nothing. */
  // Made when they are needed: searches live as long as their goals, and most of them find the path at once.
  #later: Set<Substituter> | undefined;
  #missing: Set<Substituter> | undefined;
  #forgotten: Set<Substituter> | undefined;
  /** To be turned to when there is nobody else any more. */
  #last: Candidate[] | undefined;
  readonly #found: Found[] = [];
  /** Whether a candidate was handed out. */
  #hasTaken = false;
  #impatient: boolean;
  /** Questions whose answers have not come; of those, how many are late. */
  #questions: Set<Question> | undefined;
  #pending = 0;
  #late = 0;
  #secondRound = false;
  #ended = false;
  #wake: () => void = () => {};
  #lastError: SluiceError | undefined;
  /** Why a substituter is never asked. */
  #useless: SluiceError | undefined;

  /** @param substituters - in the order in which they are asked. */
  constructor(path: StorePath, substituters: readonly Substituter[], options: SearchOptions) {
    this.#path = path;
    this.#options = options;
    this.#order = [...substituters];
    this.#impatient = substituters.length > 1;
  }

  /** The last thing that went wrong, where something did. */
  get lastError(): SluiceError | undefined {
    // Who is of no use at all is missed only where nobody else could be asked.
    return this.#lastError ?? (this.#missing === undefined ? this.#useless : undefined);
  }

  /** URI of the substituter that comes next, as far as that can be told. */
  get upcoming(): string | undefined {
    const found = this.#found[0]?.substituter;
    return (found ?? this.#order.find((each) => !each.isResting) ?? this.#later?.values().next().value)?.uri;
  }

  /**
   * Who has the path and has not been answered yet.
   *
   * @returns undefined when everybody has been asked.
   * @throws the reason of the signal.
   */
  async next(): Promise<Candidate | undefined> {
    for (;;) {
      const found = this.#takeFound();
      // Who is asked again is waited for only when there is nobody else.
      if (found !== undefined) {
        this.#hasTaken = true;
        const { substituter, info, impatient } = found;
        return { substituter, info, impatient: impatient || this.#found.length + this.#pending > 0 };
      }
      if (this.#found.length > 0) {
        await this.#wait(); // for somebody better
        this.#options.signal.throwIfAborted();
        continue;
      }
      // Who is late is not waited for as long as somebody else can be asked.
      const isIdle = this.#pending === this.#late && !this.#askNext();
      if (isIdle && this.#pending === 0 && !this.#beginSecondRound()) return this.#last?.shift();
      if (this.#found.length === 0 && this.#pending > 0) await this.#wait();
      this.#options.signal.throwIfAborted();
    }
  }

  /** A candidate was of no use. */
  failed(candidate: Candidate, error: SluiceError): void {
    this.#lastError = error;
    const { substituter, impatient } = candidate;
    if (error.transient) {
      if (impatient) this.#tryLater(candidate);
      return;
    }
    const { store } = substituter;
    const isOutdated = OUTDATED.has(error.code) && store instanceof BinaryCacheStore && store.forget(this.#path);
    if (!isOutdated || this.#forgotten?.has(substituter)) return;
    this.#forgotten ??= new Set();
    this.#forgotten.add(substituter); // once: what it says now counts
    this.#order.unshift(substituter);
  }

  /** Nothing more will be asked; who is being asked is not waited for. */
  end(): void {
    this.#ended = true;
  }

  /**
   * The first who has it. Once a candidate was of no use, who answered late comes after all who can still be asked: its
   * transfer would be late as well.
   */
  #takeFound(): Found | undefined {
    const isChoosing = this.#hasTaken && this.#impatient;
    const index = isChoosing ? this.#found.findIndex(({ isLate }) => !isLate) : 0;
    if (index >= 0) return this.#found.splice(index, 1)[0];
    if (this.#found.length > 0 && (this.#pending > this.#late || this.#askNext())) return undefined;
    return this.#found.shift();
  }

  /** Asks the next of this round who is worth it. */
  #askNext(): boolean {
    for (let next = this.#order.shift(); next !== undefined; next = this.#order.shift()) {
      const { breaker } = next;
      if (breaker.isDisabled) {
        this.#useless ??= breaker.reason;
      } else if (this.#impatient && (next.transfers.isResting || !breaker.allows())) {
        this.#askLater(next);
      } else {
        this.#ask(next);
        return true;
      }
    }
    return false;
  }

  #beginSecondRound(): boolean {
    if (this.#secondRound) return false;
    this.#secondRound = true;
    this.#impatient = false;
    const again = [...(this.#later ?? []), ...(this.#missing ?? [])];
    this.#later = undefined;
    for (const substituter of again) this.#ask(substituter);
    return again.length > 0;
  }

  #ask(substituter: Substituter): void {
    const impatient = this.#impatient;
    const { signal } = this.#options;
    const started = performance.now();
    this.#pending++;
    const onRetry = (error: SluiceError): void => this.#options.onRetry?.(substituter, error);
    const query = { signal, impatient, onRetry, ...(this.#secondRound && { maxNegativeAge: FRESH }) };
    if (!impatient) {
      const answer = substituter.patiently(() => substituter.query(this.#path, query));
      this.#follow(substituter, answer, impatient, started);
      return;
    }
    const question = substituter.ask(this.#path, query);
    this.#questions ??= new Set();
    this.#questions.add(question);
    let isLate = false;
    question.watch(() => {
      if (!this.#questions?.has(question)) return; // it is not waited for any more
      isLate = true;
      this.#late++;
      this.#wake();
    });
    this.#follow(substituter, question.answer, impatient, started, () => {
      this.#questions?.delete(question);
      if (isLate) this.#late--;
      return isLate;
    });
  }

  #follow(
    substituter: Substituter,
    answer: Promise<PathInfo | undefined>,
    impatient: boolean,
    started: number,
    /** Says whether the answer was late. */
    ended: () => boolean = () => false,
  ): void {
    const done = (): void => {
      this.#pending--;
      this.#wake();
    };
    answer.then(
      (info) => {
        const milliseconds = performance.now() - started;
        const isLate = ended();
        if (info === undefined) this.#lacks(substituter);
        else this.#found.push({ substituter, info, impatient, isLate });
        this.#options.onAnswer?.(substituter, milliseconds, info !== undefined);
        done();
        for (const question of this.#questions ?? []) question.compare(milliseconds);
      },
      (thrown) => {
        ended();
        if (!this.#ended && !this.#options.signal.aborted)
          this.#couldNotSay(substituter, asSluiceError(thrown), impatient);
        done();
      },
    );
  }

  #couldNotSay(substituter: Substituter, error: SluiceError, impatient: boolean): void {
    this.#lastError = error;
    if (impatient && error.transient) this.#askLater(substituter);
    this.#options.onFailure?.(substituter, error);
  }

  #tryLater(candidate: Candidate): void {
    if (!this.#secondRound) {
      this.#askLater(candidate.substituter);
      return;
    }
    this.#last ??= [];
    this.#last.push({ ...candidate, impatient: false });
  }

  #askLater(substituter: Substituter): void {
    this.#later ??= new Set();
    this.#later.add(substituter);
  }

  #lacks(substituter: Substituter): void {
    this.#missing ??= new Set();
    this.#missing.add(substituter);
  }

  /** Until an answer has come, or is late. */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

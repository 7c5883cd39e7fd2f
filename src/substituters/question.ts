/** One question to a substituter that is under way, and whether its answer is late. */
import type { SluiceError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';

/** What a question asks of the one whom it is put to. */
export interface Respondent {
  /** For how many milliseconds an answer may take. */
  readonly patience: number;
  /** Whether answers are late already. */
  readonly isOverdue: boolean;
  /** Since when an answer to what was asked then could have come. */
  waitsSince(asked: number): number;
  /** An answer is late, or has come after that. */
  overdue(change: 1 | -1): void;
  /** Another one has answered much sooner, while this one has been asked since then. */
  outdone(asked: number): void;
}

/** Who takes so many times as long as another one is slow. */
const SLOW = 4;

export class Question {
  /** What was answered: undefined where the substituter lacks the path. */
  readonly answer: Promise<PathInfo | undefined>;
  readonly #respondent: Respondent;
  readonly #now: () => number;
  readonly #asked: number;
  readonly #settled: PromiseWithResolvers<PathInfo | undefined> = Promise.withResolvers();
  #state: 'waiting' | 'late' | 'outdone' | 'answered' = 'waiting';
  #timer: NodeJS.Timeout | undefined;

  constructor(respondent: Respondent, now: () => number, query: () => Promise<PathInfo | undefined>) {
    this.#respondent = respondent;
    this.#now = now;
    this.#asked = now();
    this.answer = this.#settled.promise;
    query().then(
      (info) => {
        this.#end();
        this.#settled.resolve(info);
      },
      (error) => {
        this.#end();
        this.#settled.reject(error);
      },
    );
  }

  /** Calls `late` once when the answer is late, or is likely to be. */
  watch(late: () => void): void {
    let told = false;
    const tell = (): void => {
      if (!told && this.#state !== 'answered') late();
      told = true;
    };
    const look = (): void => {
      if (this.#state !== 'waiting') return;
      const left = this.#respondent.patience - (this.#now() - this.#respondent.waitsSince(this.#asked));
      if (left > 0) {
        this.#timer = setTimeout(again, left);
        return;
      }
      this.#state = 'late';
      this.#respondent.overdue(1);
      tell();
    };
    // Where the event loop was busy the answer may be there, and only not read yet.
    const again = (): void => void setImmediate(look);
    this.#timer = setTimeout(again, this.#respondent.patience);
    // While others wait for it in vain, this one need not.
    if (this.#respondent.isOverdue) queueMicrotask(tell);
  }

  /** Another substituter has answered within so many milliseconds. A machine that is slow is so for both. */
  compare(milliseconds: number): void {
    if (this.#state !== 'late' || this.#now() - this.#asked < SLOW * milliseconds) return;
    this.#state = 'outdone';
    this.#respondent.outdone(this.#asked);
  }

  /** Whoever waits for the answer need not: it is not likely to come. */
  giveUp(error: SluiceError): void {
    this.#settled.reject(error);
  }

  #end(): void {
    if (this.#state === 'late' || this.#state === 'outdone') this.#respondent.overdue(-1);
    this.#state = 'answered';
    clearTimeout(this.#timer);
  }
}

/** What is to be verified, what is found wrong, and what became of it. */
import type { SluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { GoalResult } from '../goals/goal.ts';
import type { Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import type { TrustOptions } from './verify-trust.ts';

/**
 * `missing`: registered, and not there. `modified`: not what was registered. `link`: a file in `.links` that is not what
 * its name says. `untrusted`: too few signatures. `failed`: it could not be found out.
 */
export type ProblemKind = 'missing' | 'modified' | 'link' | 'untrusted' | 'failed';

/** What was done: fetched again; made invalid, as nothing refers to it; deleted, of a link. */
export type Remedy = 'repaired' | 'unregistered' | 'deleted';

export interface VerifyProblem {
  readonly kind: ProblemKind;
  /** Undefined where it is no path's, or that of a row that cannot be read. */
  readonly path: StorePath | undefined;
  /** The full path, or a file name. */
  readonly shown: string;
  readonly problem: SluiceError;
  /** Undefined where it is as wrong as before. */
  remedy?: Remedy | undefined;
  /** Why there is none, where one was tried. */
  failure?: SluiceError | undefined;
}

export interface VerifyOptions {
  readonly store: LocalStore;
  /** By default all valid paths, and `.links`. */
  readonly paths?: readonly StorePath[] | undefined;
  /** Whether to read and hash every file, or only look whether each path is there. */
  readonly contents: boolean;
  /** Whether to look for signatures, and which. */
  readonly trust?: TrustOptions | undefined;
  /**
   * Makes the contents of a path good: where it is missing, nothing is changed in the store. Of a whole store, missing
   * paths that nothing refers to are made invalid instead.
   */
  readonly repair?: ((path: StorePath) => Promise<GoalResult>) | undefined;
  readonly settings: Settings;
  readonly signal?: AbortSignal | undefined;
  /** Called after each path, and while large ones are read; `narBytes` counts what was hashed so far. */
  readonly onProgress?: ((progress: { done: number; expected: number; narBytes: number }) => void) | undefined;
  /** Called as soon as something is found, with nothing done about it. */
  readonly onProblem?: ((problem: VerifyProblem) => void) | undefined;
  /** Called when something has been done about a problem, or could not be. */
  readonly onRemedy?: ((problem: VerifyProblem) => void) | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

export interface VerifyResult {
  readonly checked: number;
  readonly problems: readonly VerifyProblem[];
}

/** As `nix store verify` has them, one bit each: contents are wrong, untrusted, could not be found out. */
const EXIT_BITS: Readonly<Record<ProblemKind, number>> = { missing: 1, modified: 1, link: 1, untrusted: 2, failed: 4 };

/** The exit code of a program that found these. */
export function exitCodeOf(problems: readonly VerifyProblem[]): number {
  return problems.reduce((code, { kind, remedy }) => (remedy === undefined ? code | EXIT_BITS[kind] : code), 0);
}

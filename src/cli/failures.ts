/**
 * What failed, told once: a path that could not be had takes everything down that needs it, and of all those only the
 * paths that the user asked for are named.
 */
import type { EventEmitter } from 'eventemitter3';
import { BuildError, IncompleteClosureError, isDependencyFailure, type SluiceError } from '../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import type { RealiseResult } from '../scheduler/scheduler.ts';
import { describeError } from './describe-error.ts';

/** More roots, and more paths that a root took down, are only counted. */
const MAX_ROOTS = 10;
const MAX_PATHS = 3;

interface Failure {
  readonly error: SluiceError;
  /** Requested paths that failed because of it. */
  readonly requested: StorePath[];
}

export class Failures {
  readonly #storeDir: StoreDir;
  readonly #store: string | undefined;
  /** Whose failure an error was, before it became the failure of others. */
  readonly #owners = new Map<SluiceError, StorePath>();
  /** URI of the store that was of no use. */
  readonly #substituters = new Map<SluiceError, string>();

  /** @param store - its URI, where logs of its builds are told of. */
  constructor(storeDir: StoreDir, events: EventEmitter<SchedulerEvents>, store?: string) {
    this.#storeDir = storeDir;
    this.#store = store;
    events.on('substituterFailed', ({ error, substituter }) => this.#substituters.set(error, substituter));
    events.on('goalFinished', ({ path, result }) => {
      if ('failure' in result && !this.#owners.has(result.failure)) this.#owners.set(result.failure, path);
    });
  }

  /** A text for each thing that failed; none where all went well. */
  describe(results: readonly RealiseResult[], options: { readonly debug: boolean }): string[] {
    const failures = groupByRoot(results);
    const texts = failures.slice(0, MAX_ROOTS).map((failure) => this.#describe(failure, options));
    if (failures.length > MAX_ROOTS)
      texts.push(`error: ${failures.length - MAX_ROOTS} more paths failed, each for a reason of its own`);
    const cancelled = results.filter(({ state }) => state === 'cancelled').length;
    if (cancelled > 0) {
      texts.push(
        `hint: ${cancelled} of ${results.length} paths were given up because of that; --keep-going goes on with them`,
      );
    }
    return texts;
  }

  #describe({ error, requested }: Failure, { debug }: { readonly debug: boolean }): string {
    const owner = this.#owners.get(error);
    const names = owner === undefined || isNamed(owner, error);
    const substituter = this.#substituters.get(error);
    const from = substituter === undefined || error.message.includes(substituter) ? '' : ` from '${substituter}'`;
    const subject = names ? undefined : `cannot copy '${printStorePath(this.#storeDir, owner)}'${from}`;
    const dependants = requested.filter((path) => path !== owner && !isNamed(path, error));
    const note = dependants.length === 0 ? undefined : `needed by ${this.#list(dependants)}`;
    return describeError(error, { debug, subject, note, hint: this.#logHint(error, owner) });
  }

  /** Where more of the log is than its end. */
  #logHint(error: SluiceError, owner: StorePath | undefined): string | undefined {
    const isLogged = error instanceof BuildError && (error.failure.logTail?.length ?? 0) > 0;
    if (!isLogged || owner === undefined || this.#store === undefined) return undefined;
    const store = this.#store === 'local' ? '' : `--store '${this.#store}' `;
    return `the whole log: sluice log ${store}${printStorePath(this.#storeDir, owner)}`;
  }

  #list(paths: readonly StorePath[]): string {
    const shown = paths.slice(0, MAX_PATHS).map((path) => `'${printStorePath(this.#storeDir, path)}'`);
    const more = paths.length - shown.length;
    return more > 0 ? `${shown.join(', ')} and ${more} more of the requested paths` : shown.join(', ');
  }
}

function groupByRoot(results: readonly RealiseResult[]): Failure[] {
  const byRoot = new Map<SluiceError, Failure>();
  for (const result of results) {
    if (!('failure' in result)) continue;
    const error = rootOf(result.failure);
    const failure = byRoot.get(error) ?? { error, requested: [] };
    failure.requested.push(result.path);
    byRoot.set(error, failure);
  }
  return [...byRoot.values()];
}

/** Whether the message has the path, in quotes: a name may be the beginning of another. */
function isNamed(path: StorePath, { message }: SluiceError): boolean {
  return message.includes(`${path}'`);
}

/** The first failure, from which the others follow. */
function rootOf(failure: SluiceError): SluiceError {
  let root = failure;
  while (isOfAnother(root) && isSluiceError(root.cause)) root = root.cause;
  return root;
}

/** Whether something else failed, which this one needed. */
function isOfAnother(error: SluiceError): boolean {
  return isDependencyFailure(error) || error instanceof IncompleteClosureError;
}

function isSluiceError(error: unknown): error is SluiceError {
  return error instanceof Error && 'code' in error && 'hint' in error;
}

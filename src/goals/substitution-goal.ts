/**
 * The goal that makes one path valid by copying it from a substituter.
 *
 * Nix starts a transfer only when all references are valid. Here it starts as soon as the path's info is known, beside
 * the goals of the references; the order is kept where it matters, at registration.
 *
 * Source: Nix 2.35 libstore/build/substitution-goal.cc.
 */
import { asSluiceError, IncompleteClosureError, NoSubstitutersError, SluiceError } from '../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { StagedPath } from '../stores/local-store.ts';
import type { Trust, Voucher } from '../stores/trust.ts';
import type { Candidate } from '../substituters/path-search.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { FailedResult, Goal, GoalResult, LocalGoalContext, WaitResult } from './goal.ts';
import { transfer } from './transfer.ts';
import { trySubstituters } from './try-substituters.ts';

export class SubstitutionGoal implements Goal {
  readonly key: string;
  readonly path: StorePath;
  readonly #storeDir: StoreDir;
  readonly #trust: Trust;

  /** Whether it is tried once more, with all that it refers to: some of that may have been built since. */
  readonly again: boolean;

  constructor(path: StorePath, storeDir: StoreDir, trust: Trust, again = false) {
    this.key = again ? `again:${path}` : path;
    this.again = again;
    this.path = path;
    this.#storeDir = storeDir;
    this.#trust = trust;
  }

  async run(context: LocalGoalContext): Promise<GoalResult> {
    if (await context.isValidPath(this.path)) return { state: 'succeeded', how: 'alreadyValid' };
    const substituters = await context.substituters();
    const attempt = (candidate: Candidate): Promise<GoalResult> => this.#substitute(candidate, context);
    try {
      const result = await trySubstituters(this.path, substituters, context, attempt);
      return result ?? { state: 'noSubstituters', failure: this.#noSubstituters(substituters) };
    } catch (error) {
      if (error instanceof ReferenceFailure) return error.result;
      throw error;
    }
  }

  /**
   * Transfers and registers the path, while its references become goals of their own.
   *
   * @throws where the substituter failed and the next may do better.
   */
  async #substitute(candidate: Candidate, context: LocalGoalContext): Promise<GoalResult> {
    const { info } = candidate;
    const voucher = await this.#check(candidate);
    const { signal } = context;
    signal.throwIfAborted();
    let isGivenUp = false;
    const abort = (ended: WaitResult): void => {
      if (!ended.ok && !isGivenUp) context.abort(new ReferenceFailure(this.#incomplete(ended)));
    };
    const references = info.references.filter((reference) => reference !== this.path);
    context.waitFor(references).then(abort, () => {}); // rejects only when cancelled, which the signal tells, too
    try {
      using claim = context.claim(this.path);
      const location = await transfer(candidate, voucher, context, signal, claim);
      if (location === undefined) return { state: 'succeeded', how: 'alreadyValid' };
      return await this.#register({ info, location, isLocked: claim.isLocked }, context, signal);
    } catch (error) {
      isGivenUp = true; // another substituter may have the path with other references
      // The local store's fault, such as a full disk: no other substituter would do better.
      if (error instanceof SluiceError && error.code === 'ERR_STORE') return { state: 'failed', failure: error };
      throw error;
    }
  }

  #check({ substituter: { store, trusted }, info }: Candidate): Voucher | Promise<Voucher> {
    return trusted ? { by: 'store' } : this.#trust.check(store.storeDir, info, store.uri);
  }

  async #register(staged: StagedPath, context: LocalGoalContext, signal: AbortSignal): Promise<GoalResult> {
    try {
      // Built elsewhere, whatever the substituter says of itself, and registered now.
      const copied = { ...staged.info, ultimate: false, registrationTime: undefined };
      await context.register({ ...staged, info: copied }, signal);
      return { state: 'succeeded', how: 'substituted' };
    } catch (error) {
      await context.discard(staged.location);
      if (signal.aborted && error === signal.reason) throw error;
      // Again the local store's fault.
      return { state: 'failed', failure: asSluiceError(error) };
    }
  }

  #incomplete({ path, result }: WaitResult & { ok: false }): FailedResult {
    const [ours, theirs] = [this.path, path].map((each) => printStorePath(this.#storeDir, each));
    const failure = new IncompleteClosureError(`path '${ours}' needs '${theirs}', which could not be had`, {
      cause: result.failure,
    });
    return { state: result.state === 'failed' ? 'failed' : 'incompleteClosure', failure };
  }

  #noSubstituters(substituters: readonly Substituter[]): SluiceError {
    const path = printStorePath(this.#storeDir, this.path);
    if (substituters.length === 0) {
      return new NoSubstitutersError(`path '${path}' is not valid, and there are no substituters`, {
        hint: 'name one with --substituter URI',
      });
    }
    const asked = substituters.filter(({ breaker }) => !breaker.isDisabled).map(({ uri }) => `'${uri}'`);
    return new NoSubstitutersError(`no substituter has path '${path}'`, { hint: `asked: ${asked.join(', ')}` });
  }
}

/** The reason for which a transfer is given up when a reference of its path could not be had. */
class ReferenceFailure extends Error {
  readonly result: FailedResult;

  constructor(result: FailedResult) {
    super(result.failure.message);
    this.result = result;
  }
}

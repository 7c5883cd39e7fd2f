/**
 * The build hook of one thread. One process is offered one derivation after another for as long as it wants none of them:
 * it reads its machines once. Who accepts has it for its build, and the next offer starts another.
 *
 * A hook that is kept does not keep its thread alive, and ends when the thread does: its input ends then. (Nothing more can
 * be done by a thread that is ended.)
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc, tryBuildHook.
 */
import type { Settings } from '../../settings.ts';
import { BuildHook, type HookAnswer, type HookOffer } from './build-hook.ts';

export interface OfferOptions {
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Gets what the hook prints besides its answers. */
  readonly onLine: (line: string) => void;
}

export type OfferOutcome =
  /** It is the caller's from now on, who disposes it. */
  { readonly answer: 'accept'; readonly hook: BuildHook } | { readonly answer: Exclude<HookAnswer, 'accept'> };

export class HookKeeper implements Disposable {
  #kept: { readonly hook: BuildHook; readonly settings: Settings } | undefined;
  /** Done when nobody makes an offer: a hook answers one at a time. */
  #free: Promise<void> = Promise.resolve();

  /**
   * Offers a derivation, after all offers before.
   *
   * @throws {BuildError} where the hook breaks the protocol; the reason of `signal`, whose abort ends the hook.
   */
  async offer(offer: HookOffer, options: OfferOptions): Promise<OfferOutcome> {
    using turn = new DisposableStack();
    const { promise, resolve } = Promise.withResolvers<void>();
    turn.defer(resolve);
    const before = this.#free;
    this.#free = promise;
    await before;
    options.signal.throwIfAborted();
    const kept = this.#take(options.settings);
    if (kept === undefined) return await this.#ask(new BuildHook(options.settings), offer, options);
    try {
      return await this.#ask(kept, offer, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!kept.hasEnded) throw error;
      // It may have ended since the last offer, which it had answered: that is no failure of this one.
      return await this.#ask(new BuildHook(options.settings), offer, options);
    }
  }

  /** Ends the hook that is kept, if there is one. */
  [Symbol.dispose](): void {
    this.#kept?.hook[Symbol.dispose]();
    this.#kept = undefined;
  }

  #take(settings: Settings): BuildHook | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept === undefined) return undefined;
    if (kept.settings === settings && !kept.hook.hasEnded) return kept.hook;
    kept.hook[Symbol.dispose]();
    return undefined;
  }

  async #ask(hook: BuildHook, offer: HookOffer, { settings, signal, onLine }: OfferOptions): Promise<OfferOutcome> {
    using unlessKept = new DisposableStack();
    unlessKept.use(hook);
    using listening = new DisposableStack();
    const cancel = (): void => hook[Symbol.dispose]();
    signal.addEventListener('abort', cancel, { once: true });
    listening.defer(() => signal.removeEventListener('abort', cancel));
    const answer = await hook.offer(offer, onLine).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
    signal.throwIfAborted();
    if (answer === 'decline-permanently') return { answer };
    unlessKept.move();
    if (answer === 'accept') return { answer, hook };
    hook.rest();
    this.#kept = { hook, settings };
    return { answer };
  }
}

/**
 * The goals under way and who needs whom. A goal lives as long as a request or another goal needs it; when nobody does,
 * it is cancelled. All costs are linear in goals and needs.
 *
 * Of what is requested, thousands perhaps, some kinds of goals start only as others get on: enough to keep all slots
 * busy and to choose among. What a goal needs starts at once, so no goal that runs ever waits for one that is put off;
 * and goals that wait for others make room for more, so those that depend on one long build hold up nobody else.
 *
 * Source: Nix 2.35 libstore/build/goal.cc, worker.cc.
 */
import { setImmediate } from 'node:timers/promises';
import { asSluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { FailedResult, Goal, GoalResult, WaitResult } from '../goals/goal.ts';
import { type RankedNode, Ranks } from './ranks.ts';
import { SLICE } from './slice.ts';

/** One goal in the graph. */
export class GoalNode<G extends Goal = Goal> implements RankedNode<GoalNode<G>> {
  readonly goal: G;
  /** Set once the goal has ended, with everything that it held released. */
  result: GoalResult | undefined;
  /** Requests and goals that need this one. */
  neededBy = 0;
  /** The goals that this one has asked for. */
  needs: Set<GoalNode<G>> | undefined;
  /** To be told of the result. */
  waits: Wait[] | undefined;
  /** What this goal itself waits for; a cancelled goal must not be left waiting. */
  waitsFor: Wait[] | undefined;
  /** See {@link Sparing}. */
  readonly isSpared: boolean;
  hasStarted = false;
  /** How many waits for other goals it is in. */
  waiting = 0;
  /** See {@link GoalGraph.rankVersion}. */
  rank = 0;
  unseen = 0;
  #cancelled: boolean = false;
  #controller: AbortController | undefined;

  constructor(goal: G, isSpared: boolean) {
    this.goal = goal;
    this.isSpared = isSpared;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Made on first use: most goals of a large graph never look at theirs. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  cancel(): void {
    this.#cancelled = true;
    this.abort(this.#reason());
    for (const wait of this.waitsFor ?? []) wait.cancel(this.#reason());
  }

  /** Aborts the signal, as far as anybody has looked at it. */
  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }

  #reason(): DOMException {
    return new DOMException(`nobody needs '${this.goal.path}' any more`, 'AbortError');
  }
}

/** Waiting for several nodes to end. */
class Wait {
  /** Called when the wait is over, however it ends. */
  onOver: (() => void) | undefined;
  readonly #keepGoing: boolean;
  readonly #settled: PromiseWithResolvers<WaitResult> = Promise.withResolvers();
  #pending: number;
  #failure: { readonly path: StorePath; readonly result: FailedResult } | undefined;
  #failures = 0;

  constructor(pending: number, keepGoing: boolean) {
    this.#pending = pending;
    this.#keepGoing = keepGoing;
    if (pending === 0) this.#settled.resolve({ ok: true });
  }

  get isPending(): boolean {
    return this.#pending > 0;
  }

  /** Rejects where the wait is cancelled. */
  get result(): Promise<WaitResult> {
    return this.#settled.promise;
  }

  cancel(reason: unknown): void {
    this.#settled.reject(reason);
    this.#over();
  }

  ended({ goal, result }: GoalNode): void {
    this.#pending--;
    if (hasFailed(result!)) {
      this.#failures++;
      this.#failure ??= { path: goal.path, result };
    }
    if (this.#pending > 0 && (this.#failure === undefined || this.#keepGoing)) return;
    this.#settled.resolve(
      this.#failure === undefined ? { ok: true } : { ok: false, ...this.#failure, failures: this.#failures },
    );
    this.#over();
  }

  #over(): void {
    this.onOver?.();
    this.onOver = undefined;
  }
}

/**
 * Which goals start only as others get on, where they are requested. Active are those that have started, have not ended,
 * and wait for no other goal.
 */
export interface Sparing<G extends Goal> {
  readonly of: (goal: G) => boolean;
  /** When no more than so many are active, others start; at least as many as can be at work at once. */
  readonly least: number;
  /** So many are active then, where there are as many. */
  readonly most: number;
}

export interface GoalGraphOptions<G extends Goal> {
  readonly keepGoing: boolean;
  /** Where there is none, all goals start as soon as they are requested. */
  readonly sparing?: Sparing<G> | undefined;
  /** Called when a goal has entered the graph, which may be long before it runs. */
  readonly onAdded?: ((node: GoalNode<G>) => void) | undefined;
  /** Runs a goal to its end. */
  readonly run: (node: GoalNode<G>) => Promise<GoalResult>;
  /** Called once a goal has ended, before those who wait for it go on. */
  readonly onEnded?: (node: GoalNode<G>) => void;
  /** Called when the last request has ended, and with it what is known of any goal. */
  readonly onForgotten?: () => void;
}

export class GoalGraph<G extends Goal> {
  readonly #options: GoalGraphOptions<G>;
  readonly #nodes = new Map<string, GoalNode<G>>();
  readonly #ranks = new Ranks<GoalNode<G>>();
  /** To be started, in this order; those that have been are among them until all have. */
  #starts: GoalNode<G>[] = [];
  /** Requested, and put off. A set: some of them start out of turn. */
  readonly #putOff = new Set<GoalNode<G>>();
  /** How many of those that are spared are active. */
  #active = 0;
  #requests = 0;
  #running = 0;
  /** Cancelled, and still at work to clean up. */
  readonly #ending = new Set<GoalNode<G>>();
  readonly #idle: (() => void)[] = [];

  constructor(options: GoalGraphOptions<G>) {
    this.#options = options;
  }

  /**
   * Works on `goals` until each has ended; without `keep-going`, until one has failed. The others are cancelled then.
   *
   * Whatever the outcome, those that were cancelled have ended as well.
   *
   * @returns a result a goal, in order.
   * @throws the reason of `signal`.
   */
  async request(goals: readonly G[], signal?: AbortSignal): Promise<GoalResult[]> {
    signal?.throwIfAborted();
    this.#requests++;
    const nodes = goals.map((goal) => this.#add(goal));
    const unique = new Set(nodes);
    for (const node of unique) {
      node.neededBy++;
      if (!node.isSpared) this.#start(node);
      else if (!node.hasStarted) this.#putOff.add(node);
    }
    this.#startMore();
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const abort = (): void => resolve();
    signal?.addEventListener('abort', abort, { once: true });

    await Promise.race([this.#wait(unique).result, aborted]);
    for (const node of unique) this.#release(node);
    await this.#wait(unique, true).result;
    // Each that ends lets go of those that only it needed.
    while (this.#ending.size > 0) await this.#wait(this.#ending, true).result;
    signal?.removeEventListener('abort', abort);
    this.#requests--;
    if (this.#requests === 0) this.#forget();
    signal?.throwIfAborted();
    return nodes.map((node) => node.result!);
  }

  /**
   * Makes `node` need `goals` until it ends, and waits for them.
   *
   * @throws where `node` is cancelled.
   */
  waitFor(node: GoalNode<G>, goals: readonly G[]): Promise<WaitResult> {
    return this.#waitFor(node, this.#need(node, goals), this.#options.keepGoing);
  }

  /**
   * Makes `node` need `goals` until it ends, and waits until all have ended, whatever comes of them.
   *
   * @returns a result a goal, in order.
   * @throws where `node` is cancelled.
   */
  async settle(node: GoalNode<G>, goals: readonly G[]): Promise<readonly GoalResult[]> {
    const needed = this.#need(node, goals);
    await this.#waitFor(node, needed, true);
    return needed.map(({ result }) => result!);
  }

  /**
   * Sees to it that the rank of each node says how many goals wait behind it, in the longest chain, as far as that is
   * cheap to know. Another number than the last time says that ranks have changed.
   */
  rankVersion(): number {
    return this.#ranks.refresh(this.#nodes.values());
  }

  /** Waits until no goal is running. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #forget(): void {
    this.#nodes.clear();
    this.#ranks.clear();
    this.#options.onForgotten?.();
  }

  /** The node of a goal: the one there is, unless that has been cancelled. */
  #add(goal: G): GoalNode<G> {
    const known = this.#nodes.get(goal.key);
    if (known !== undefined && !known.cancelled) return known;
    const node = new GoalNode<G>(goal, this.#options.sparing?.of(goal) ?? false);
    this.#nodes.set(goal.key, node);
    this.#running++;
    this.#options.onAdded?.(node);
    return node;
  }

  #startMore(): void {
    const { sparing } = this.#options;
    if (sparing === undefined || this.#putOff.size === 0 || this.#active > sparing.least) return;
    for (const node of this.#putOff) {
      if (this.#active >= sparing.most) return;
      this.#start(node);
    }
  }

  #start(node: GoalNode<G>): void {
    if (node.hasStarted) return;
    node.hasStarted = true;
    this.#putOff.delete(node);
    if (node.isSpared) this.#active++;
    // Not at once: a chain of goals, each starting the next, would be as deep as the stack.
    if (this.#starts.length === 0) queueMicrotask(() => void this.#startAll());
    this.#starts.push(node);
  }

  /** A request may be for thousands. */
  async #startAll(): Promise<void> {
    let began = performance.now();
    for (const node of this.#starts) {
      if (performance.now() - began >= SLICE) {
        await setImmediate();
        began = performance.now();
      }
      void this.#run(node);
    }
    this.#starts = [];
  }

  async #run(node: GoalNode<G>): Promise<void> {
    try {
      if (node.cancelled) node.signal.throwIfAborted();
      node.result = await this.#options.run(node);
    } catch (error) {
      node.result = node.cancelled ? { state: 'cancelled' } : { state: 'failed', failure: asSluiceError(error) };
    }
    this.#options.onEnded?.(node);
    const { waits, needs } = node;
    node.waits = node.waitsFor = node.needs = undefined;
    for (const wait of waits ?? []) wait.ended(node);
    for (const needed of needs ?? []) this.#release(needed);
    this.#ending.delete(node);
    this.#running--;
    if (node.isSpared && node.waiting === 0) {
      this.#active--;
      this.#startMore();
    }
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #need(node: GoalNode<G>, goals: readonly G[]): GoalNode<G>[] {
    if (node.cancelled) node.signal.throwIfAborted();
    const needed = goals.map((goal) => this.#add(goal));
    for (const each of needed) this.#start(each);
    node.needs ??= new Set();
    const before = node.needs.size;
    for (const each of needed) {
      if (node.needs.has(each)) continue;
      node.needs.add(each);
      each.neededBy++;
      each.rank = Math.max(each.rank, node.rank + 1);
    }
    this.#ranks.added(node.needs.size - before);
    return needed;
  }

  #waitFor(node: GoalNode<G>, needed: readonly GoalNode<G>[], keepGoing: boolean): Promise<WaitResult> {
    const wait = this.#wait(new Set(needed), keepGoing);
    if (wait.isPending) {
      node.waitsFor ??= [];
      node.waitsFor.push(wait);
      if (node.isSpared) {
        this.#beginsWaiting(node);
        wait.onOver = () => this.#endsWaiting(node);
      }
    }
    return wait.result;
  }

  #beginsWaiting(node: GoalNode<G>): void {
    if (node.waiting++ > 0) return;
    this.#active--;
    this.#startMore();
  }

  #endsWaiting(node: GoalNode<G>): void {
    if (node.result !== undefined) return;
    if (--node.waiting === 0) this.#active++;
  }

  /** Takes one need away; a goal that nobody needs is cancelled. */
  #release(node: GoalNode<G>): void {
    node.neededBy--;
    if (node.neededBy > 0 || node.result !== undefined) return;
    this.#ending.add(node);
    node.cancel();
    this.#start(node); // to end at once
  }

  #wait(nodes: ReadonlySet<GoalNode<G>>, keepGoing: boolean = this.#options.keepGoing): Wait {
    const wait = new Wait(nodes.size, keepGoing);
    for (const node of nodes) {
      if (node.result !== undefined) {
        wait.ended(node);
        continue;
      }
      node.waits ??= [];
      node.waits.push(wait);
    }
    return wait;
  }
}

function hasFailed(result: GoalResult): result is FailedResult {
  return result.state !== 'succeeded' && result.state !== 'cancelled';
}

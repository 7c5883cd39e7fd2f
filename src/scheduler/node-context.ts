/**
 * What a goal may ask of the scheduler: most of it is the same for all goals and is handed on, the rest is about the goal
 * that asks. A class, since there are thousands of them, and as a plain object each would take 2 KB.
 */
import type { PathInfo } from '../formats/path-info.ts';
import type { StoreDir, StorePath } from '../formats/store-path.ts';
import type { Builds, DerivationContext, ReadDerivation } from '../goals/derivation-context.ts';
import type { Goal, GoalResult, JobOptions, Need, PathClaim, SlotKind, WaitResult } from '../goals/goal.ts';
import type { PathRepairs } from '../goals/repair-goal.ts';
import type { JobName, Reply, Request } from '../pool/messages.ts';
import type { Settings } from '../settings.ts';
import type { SpaceClaim } from '../stores/free-space.ts';
import type { StagedPath } from '../stores/local-store.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { GoalGraph, GoalNode } from './goal-graph.ts';

/** What is the same for all goals. */
export type SharedContext = Omit<
  DerivationContext,
  'abort' | 'priority' | 'settle' | 'signal' | 'waitFor' | 'waitForNeeds'
>;

/** How goals come to others that they need. */
export interface OtherGoals<G extends Goal> {
  readonly graph: Pick<GoalGraph<G>, 'settle' | 'waitFor'>;
  /** The goal that a need is about. */
  readonly of: (need: Need) => G;
  /** The goal that substitutes a path for another goal. */
  readonly ofPath: (path: StorePath, asking: G) => G;
}

export class NodeContext<G extends Goal> implements DerivationContext {
  readonly #node: GoalNode<G>;
  readonly #shared: SharedContext;
  readonly #others: OtherGoals<G>;

  constructor(node: GoalNode<G>, shared: SharedContext, others: OtherGoals<G>) {
    this.#node = node;
    this.#shared = shared;
    this.#others = others;
  }

  get signal(): AbortSignal {
    return this.#node.signal;
  }

  abort(reason: Error): void {
    this.#node.abort(reason);
  }

  get priority(): () => number {
    return () => this.#node.rank;
  }

  waitFor(paths: readonly StorePath[]): Promise<WaitResult> {
    const node = this.#node;
    return this.#others.graph.waitFor(
      node,
      paths.map((path) => this.#others.ofPath(path, node.goal)),
    );
  }

  waitForNeeds(needs: readonly Need[]): Promise<WaitResult> {
    return this.#others.graph.waitFor(this.#node, needs.map(this.#others.of));
  }

  settle(needs: readonly Need[]): Promise<readonly GoalResult[]> {
    return this.#others.graph.settle(this.#node, needs.map(this.#others.of));
  }

  get storeDir(): StoreDir {
    return this.#shared.storeDir;
  }

  get store(): string {
    return this.#shared.store;
  }

  get settings(): Settings {
    return this.#shared.settings;
  }

  get events(): SharedContext['events'] {
    return this.#shared.events;
  }

  get repairs(): PathRepairs {
    return this.#shared.repairs;
  }

  get builds(): Builds {
    return this.#shared.builds;
  }

  substituters(): readonly Substituter[] | Promise<readonly Substituter[]> {
    return this.#shared.substituters();
  }

  isValidPath(path: StorePath): Promise<boolean> {
    return this.#shared.isValidPath(path);
  }

  readDerivation(drvPath: StorePath): Promise<ReadDerivation> {
    return this.#shared.readDerivation(drvPath);
  }

  slot(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable> {
    return this.#shared.slot(kind, signal, size);
  }

  runJob<N extends JobName>(name: N, request: Request<N>, options: JobOptions): Promise<Reply<N>> {
    return this.#shared.runJob(name, request, options);
  }

  claim(path: StorePath): PathClaim {
    return this.#shared.claim(path);
  }

  claimSpace(info: PathInfo): Promise<SpaceClaim> {
    return this.#shared.claimSpace(info);
  }

  partialLocation(info: PathInfo): Promise<string | undefined> {
    return this.#shared.partialLocation(info);
  }

  stagingLocation(path: StorePath): Promise<string> {
    return this.#shared.stagingLocation(path);
  }

  discard(location: string): Promise<void> {
    return this.#shared.discard(location);
  }

  register(staged: StagedPath, signal: AbortSignal): Promise<void> {
    return this.#shared.register(staged, signal);
  }
}

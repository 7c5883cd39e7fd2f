/**
 * The embedding API: opens a store, makes paths valid in it, tells what happens, and releases everything at the end.
 * It runs the goals of goals/, and owns what they share: slots, worker threads, the staging directory, registration.
 *
 * Source: Nix 2.35 libstore/build/worker.cc, entry-points.cc.
 */
import { existsSync } from 'node:fs';
import { EventEmitter } from 'eventemitter3';
import { parseBaseName, parseStorePath, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import type { GoalResult, LocalGoalContext, SlotKind } from '../goals/goal.ts';
import { SubstitutionGoal } from '../goals/substitution-goal.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import { makeSettings, type Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { openLocalStoreAt, openStore } from '../stores/open-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import type { Staging } from '../stores/staging.ts';
import type { Store } from '../stores/store.ts';
import { Trust } from '../stores/trust.ts';
import { GoalGraph, type GoalNode } from './goal-graph.ts';
import { Registrar } from './registrar.ts';
import { Slots } from './slots.ts';
import { ValidPaths } from './valid-paths.ts';

/** Transfers at once in the beginning: enough to keep the threads busy where the network is fast. */
const FEW = 8;
/** Threads that are less busy than this have time for more transfers. */
const BUSY = 0.8;

export interface SchedulerOptions {
  /** The store to make paths valid in, or its URI: `local`, `local?root=DIR`, or a plain directory. */
  readonly store: LocalStore | string;
  /** Stores to copy from, or their URIs, in the order in which they are tried; by default `settings.substituters`. */
  readonly substituters?: readonly (Store | string)[] | undefined;
  readonly settings?: Partial<Settings> | undefined;
}

export interface RealiseOptions {
  /** Cancels: transfers stop, what they staged is removed, and the store stays valid. */
  readonly signal?: AbortSignal | undefined;
}

/** How the realisation of one path ended. */
export type RealiseResult = GoalResult & { readonly path: StorePath };

export class Scheduler implements AsyncDisposable {
  readonly events: EventEmitter<SchedulerEvents> = new EventEmitter();
  readonly store: LocalStore;
  readonly substituters: readonly Store[];
  readonly settings: Settings;
  readonly #resources: AsyncDisposableStack;
  readonly #trust: Trust;
  readonly #slots: Readonly<Record<SlotKind, Slots>>;
  readonly #graph: GoalGraph<SubstitutionGoal>;
  readonly #validPaths: ValidPaths;
  readonly #registrar: Registrar;
  #pool: WorkerPool | undefined;
  #staging: Promise<Staging> | undefined;
  #staged = 0;

  private constructor(
    store: LocalStore,
    substituters: readonly Store[],
    settings: Settings,
    trust: Trust,
    resources: AsyncDisposableStack,
  ) {
    this.store = store;
    this.substituters = substituters;
    this.settings = settings;
    this.#resources = resources;
    this.#trust = trust;
    this.#slots = makeSlots(settings);
    this.#graph = new GoalGraph({
      keepGoing: settings.keepGoing,
      run: (node) => this.#run(node),
      onEnded: (node) => this.#ended(node),
      onForgotten: () => this.#registrar.clear(),
    });
    this.#validPaths = new ValidPaths(store);
    this.#registrar = new Registrar({
      store,
      onRegistered: (paths, milliseconds) => this.events.emit('pathsRegistered', { paths, milliseconds }),
    });
  }

  /**
   * @throws {UsageError} on a URI that names no store; {@link StoreError} where a store cannot be opened;
   *   {@link FormatError} on a malformed trusted key.
   */
  static async open(options: SchedulerOptions): Promise<Scheduler> {
    const settings = makeSettings(options.settings);
    const trust = new Trust(settings);
    await using opened = new AsyncDisposableStack();
    const store =
      typeof options.store === 'string' ? opened.use(await openLocalStoreAt(options.store, settings)) : options.store;
    const substituters: Store[] = [];
    for (const substituter of settings.substitute ? (options.substituters ?? settings.substituters) : []) {
      const isUri = typeof substituter === 'string';
      substituters.push(isUri ? opened.use(await openStore(substituter, settings)) : substituter);
    }
    return new Scheduler(store, substituters, settings, trust, opened.move());
  }

  /**
   * Makes paths valid, with all that they refer to.
   *
   * @param paths - whole (`/nix/store/HASH-NAME`), or parsed already.
   * @returns how each ended, in order. Failures are results, not throws.
   * @throws {FormatError} on what is no store path; the reason of `signal`, once everything has stopped and nothing
   *   half done is left.
   */
  async realise(paths: readonly (StorePath | string)[], { signal }: RealiseOptions = {}): Promise<RealiseResult[]> {
    const parsed = paths.map((path) => this.#parse(path));
    this.#expect(parsed);
    const goals = parsed.map((path) => this.#substitution(path));
    const results = await this.#graph.request(goals, signal);
    return results.map((result, index) => ({ ...result, path: parsed[index]! }));
  }

  /** Waits for running goals to end, then releases worker threads, the staging directory, and what it opened itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#graph.idle();
    await this.#resources.disposeAsync();
  }

  /** What is not even there is not valid: a thread gets ready for it while its info is asked for. */
  #expect(paths: readonly StorePath[]): void {
    if (this.#pool !== undefined || paths.every((path) => existsSync(this.store.realPath(path)))) return;
    const stores = this.substituters.map(({ openUri }) => openUri);
    this.#workers()
      .run('open', { stores }, { weight: 0 })
      .catch(() => {}); // the first transfer says so, if there is one
  }

  #parse(path: string): StorePath {
    return path.startsWith('/') ? parseStorePath(this.store.storeDir, path) : parseBaseName(path);
  }

  #substitution(path: StorePath): SubstitutionGoal {
    return new SubstitutionGoal(path, this.store.storeDir, this.#trust);
  }

  #run(node: GoalNode<SubstitutionGoal>): Promise<GoalResult> {
    this.events.emit('goalStarted', { path: node.goal.path });
    return node.goal.run(this.#context(node));
  }

  #ended(node: GoalNode<SubstitutionGoal>): void {
    const result = node.result!;
    if (result.state === 'succeeded') this.#registrar.markValid(node.goal.path);
    this.events.emit('goalFinished', { path: node.goal.path, result });
  }

  #context(node: GoalNode<SubstitutionGoal>): LocalGoalContext {
    return {
      substituters: this.substituters,
      events: this.events,
      get signal() {
        return node.signal;
      },
      isValidPath: (path) => this.#validPaths.has(path),
      waitFor: (paths) =>
        this.#graph.waitFor(
          node,
          paths.map((path) => this.#substitution(path)),
        ),
      slot: (kind, signal, size) => this.#slot(kind, signal, size),
      runJob: (name, request, options) => this.#workers().run(name, request, options),
      stagingLocation: (path) => this.#stagingLocation(path),
      discard: removeTree,
      register: (staged, signal) => this.#registrar.register(staged, signal),
    };
  }

  #slot(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable> {
    const slots = this.#slots[kind];
    const slot = slots.acquire(signal, size);
    // More at once, as long as that is what the threads lack: in the beginning, and where answers are slow to come.
    if (slots.waiting > 0 && (this.#pool?.lookHowBusy() ?? 1) < BUSY) slots.widen();
    return slot;
  }

  /** Started with the first job: where everything is valid already there is no thread. */
  #workers(): WorkerPool {
    this.#pool ??= this.#resources.use(
      new WorkerPool({ settings: this.settings, concurrency: this.#slots.substitution.limit }),
    );
    return this.#pool;
  }

  async #stagingLocation(path: StorePath): Promise<string> {
    this.#staging ??= this.store.openStaging().then((staging) => this.#resources.use(staging));
    const { dir } = await this.#staging;
    return `${dir}/${this.#staged++}-${path}`;
  }
}

function makeSlots(settings: Settings): Record<SlotKind, Slots> {
  // As Nix: substitution always has one slot, even where building has none.
  const limit = Math.max(1, settings.substitutionsUseBuildSlots ? settings.maxJobs : settings.maxSubstitutionJobs);
  const substitution = new Slots(limit, { open: FEW });
  return { substitution, build: settings.substitutionsUseBuildSlots ? substitution : new Slots(settings.maxJobs) };
}

/**
 * The embedding API: opens a store, makes paths valid in it, tells what happens, and releases everything at the end.
 * It runs the goals of goals/, and owns what they share: slots, worker threads, the staging directory, registration.
 *
 * Source: Nix 2.35 libstore/build/worker.cc, entry-points.cc.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
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
/** Of a NAR, in bytes: so large that {@link FEW} at once keep any network busy, and that more would only take memory. */
const LARGE = 512 * 1024;
/** Threads that are less busy than this have time for more transfers. */
const BUSY = 0.8;

export interface SchedulerOptions {
  /** The store to make paths valid in, or its URI: `local`, `local?root=DIR`, or a plain directory. */
  readonly store: LocalStore | string;
  /** Stores to copy from, or their URIs, in the order in which they are tried; by default `settings.substituters`. */
  readonly substituters?: readonly (Store | string)[] | undefined;
  readonly settings?: Partial<Settings> | undefined;
  /** Paths that will be realised first: what that takes is got ready while the stores are opened. */
  readonly expected?: readonly (StorePath | string)[] | undefined;
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
  /** What a large transfer takes beside a slot. */
  readonly #largeSlots = new Slots(FEW);
  /** Counts small transfers. */
  #small = 0;
  readonly #pool: WorkerPool;
  readonly #graph: GoalGraph<SubstitutionGoal>;
  readonly #validPaths: ValidPaths;
  readonly #registrar: Registrar;
  #staging: Promise<Staging> | undefined;
  #staged = 0;

  private constructor(
    store: LocalStore,
    substituters: readonly Store[],
    settings: Settings,
    trust: Trust,
    slots: Readonly<Record<SlotKind, Slots>>,
    pool: WorkerPool,
    resources: AsyncDisposableStack,
  ) {
    this.store = store;
    this.substituters = substituters;
    this.settings = settings;
    this.#resources = resources;
    this.#trust = trust;
    this.#slots = slots;
    this.#pool = pool;
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
    const slots = makeSlots(settings);
    const pool = opened.use(new WorkerPool({ settings, concurrency: slots.substitution.limit }));
    const given = settings.substitute ? (options.substituters ?? settings.substituters) : [];
    if (options.expected?.some((path) => isMissing(store, path))) {
      warm(
        pool,
        given.map((each) => (typeof each === 'string' ? each : each.openUri)),
      );
    }
    const substituters: Store[] = [];
    for (const each of given) {
      substituters.push(typeof each === 'string' ? opened.use(await openStore(each, settings)) : each);
    }
    return new Scheduler(store, substituters, settings, trust, slots, pool, opened.move());
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

  /** What is not even there is not valid: its info is asked for while the database is opened. */
  #expect(paths: readonly StorePath[]): void {
    const missing = paths.slice(0, FEW).filter((path) => isMissing(this.store, path));
    // What goes wrong shows again when it is needed.
    for (const path of missing) this.substituters[0]?.queryPathInfo(path).catch(() => {});
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
      runJob: (name, request, options) => this.#pool.run(name, request, options),
      stagingLocation: (path) => this.#stagingLocation(path),
      discard: removeTree,
      register: (staged, signal) => this.#registrar.register(staged, signal),
    };
  }

  async #slot(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable> {
    using held = new DisposableStack();
    if (size >= LARGE) held.use(await this.#largeSlots.acquire(signal, size));
    // The largest first, since the last to end decides; of small ones the latest, since others wait for what was found
    // deepest in the graph.
    const slots = this.#slots[kind];
    const slot = slots.acquire(signal, size >= LARGE ? size : this.#small++ / Number.MAX_SAFE_INTEGER);
    // More at once, as long as that is what the threads lack: in the beginning, and where answers are slow to come.
    if (slots.waiting > 0 && (this.#pool.lookHowBusy() ?? 1) < BUSY) slots.widen();
    held.use(await slot);
    return held.move();
  }

  async #stagingLocation(path: StorePath): Promise<string> {
    this.#staging ??= this.store.openStaging().then((staging) => this.#resources.use(staging));
    const { dir } = await this.#staging;
    return `${dir}/${this.#staged++}-${path}`;
  }
}

function isMissing(store: LocalStore, path: StorePath | string): boolean {
  return !existsSync(store.realPath(basename(path) as StorePath));
}

/** Starts a thread, and has it open the stores, before there is a job for it. */
function warm(pool: WorkerPool, stores: readonly string[]): void {
  pool.run('open', { stores }, { weight: 0 }).catch(() => {}); // what is wrong with a store shows when it is used
}

function makeSlots(settings: Settings): Record<SlotKind, Slots> {
  // As Nix: substitution always has one slot, even where building has none.
  const limit = Math.max(1, settings.substitutionsUseBuildSlots ? settings.maxJobs : settings.maxSubstitutionJobs);
  const substitution = new Slots(limit, { open: FEW });
  return { substitution, build: settings.substitutionsUseBuildSlots ? substitution : new Slots(settings.maxJobs) };
}

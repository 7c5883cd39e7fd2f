/**
 * The embedding API: opens a store, makes paths valid in it, tells what happens, and releases everything at the end.
 * It runs the goals of goals/, and owns what they share: slots, worker threads, the staging directory, registration.
 *
 * Source: Nix 2.35 libstore/build/worker.cc, entry-points.cc.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { EventEmitter } from 'eventemitter3';
import type { SluiceError } from '../errors.ts';
import { parseBaseName, parseStorePath, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import type { GoalResult, SlotKind } from '../goals/goal.ts';
import { type RepairContext, RepairGoal } from '../goals/repair-goal.ts';
import { SubstitutionGoal } from '../goals/substitution-goal.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import { makeSettings, type Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { openLocalStoreAt } from '../stores/open-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import type { Staging } from '../stores/staging.ts';
import type { Store } from '../stores/store.ts';
import { Trust } from '../stores/trust.ts';
import { PathSearch } from '../substituters/path-search.ts';
import type { Substituter } from '../substituters/substituter.ts';
import { Substituters } from '../substituters/substituters.ts';
import { AutoCollector } from './auto-collector.ts';
import { GoalGraph, type GoalNode } from './goal-graph.ts';
import { PathClaims } from './path-claims.ts';
import { type FoundPath, type MissingPaths, queryMissing } from './query-missing.ts';
import { Registrar } from './registrar.ts';
import { Repairs } from './repairs.ts';
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
  /**
   * Stores to copy from, or their URIs; by default `settings.substituters`, of which those that cannot be opened are
   * left out. Tried by priority, and in this order where it is the same.
   */
  readonly substituters?: readonly (Store | string)[] | undefined;
  /** A file in which what binary caches say of paths is remembered for the next run; by default there is none. */
  readonly narInfoCache?: string | undefined;
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
  readonly events: EventEmitter<SchedulerEvents>;
  readonly store: LocalStore;
  readonly settings: Settings;
  readonly #substituters: Substituters;
  readonly #resources: AsyncDisposableStack;
  readonly #trust: Trust;
  readonly #slots: Readonly<Record<SlotKind, Slots>>;
  /** What a large transfer takes beside a slot. */
  readonly #largeSlots = new Slots(FEW);
  /** Counts small transfers. */
  #small = 0;
  readonly #pool: WorkerPool;
  readonly #graph: GoalGraph<SubstitutionGoal | RepairGoal>;
  readonly #autoCollector: AutoCollector;
  readonly #validPaths: ValidPaths;
  readonly #claims: PathClaims;
  readonly #registrar: Registrar;
  readonly #repairs: Repairs;
  #staging: Promise<Staging> | undefined;
  #staged = 0;
  /** Whether anybody has asked for anything. */
  #begun = false;

  private constructor(
    store: LocalStore,
    substituters: Substituters,
    events: EventEmitter<SchedulerEvents>,
    settings: Settings,
    trust: Trust,
    slots: Readonly<Record<SlotKind, Slots>>,
    pool: WorkerPool,
    resources: AsyncDisposableStack,
  ) {
    this.store = store;
    this.#substituters = substituters;
    this.events = events;
    this.settings = settings;
    this.#resources = resources;
    this.#trust = trust;
    this.#slots = slots;
    this.#pool = pool;
    this.#graph = new GoalGraph({
      keepGoing: settings.keepGoing,
      run: (node) => this.#run(node),
      onEnded: (node) => this.#ended(node),
      onForgotten: () => {
        this.#registrar.clear();
        this.#repairs.clear();
      },
    });
    this.#autoCollector = resources.use(
      new AutoCollector({ store, settings, pool, onFinished: (result) => events.emit('garbageCollected', result) }),
    );
    this.#validPaths = new ValidPaths(store);
    this.#claims = new PathClaims(store);
    this.#repairs = new Repairs(store, pool);
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
    const events = new EventEmitter<SchedulerEvents>();
    const substituters = opened.use(
      await Substituters.open(given, {
        settings,
        narInfoCache: options.narInfoCache,
        isOptional: options.substituters === undefined,
        onSetAside: (substituter, error, milliseconds) =>
          events.emit('substituterSetAside', { substituter, error, milliseconds }),
        onBack: (substituter) => events.emit('substituterBack', { substituter }),
      }),
    );
    return new Scheduler(store, substituters, events, settings, trust, slots, pool, opened.move());
  }

  /** The stores to copy from. */
  get substituters(): readonly Store[] {
    return this.#substituters.all.map(({ store }) => store);
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
    this.#begin();
    this.#expect(parsed);
    const goals = parsed.map((path) => this.#substitution(path));
    const results = await this.#graph.request(goals, signal);
    return results.map((result, index) => ({ ...result, path: parsed[index]! }));
  }

  /**
   * Makes the contents of paths what was registered, from substituters where they are not; what is not valid is
   * realised. What the paths refer to is not looked at.
   *
   * @returns and throws as {@link Scheduler.realise}. Paths whose contents are good are `alreadyValid`.
   */
  async repair(paths: readonly (StorePath | string)[], { signal }: RealiseOptions = {}): Promise<RealiseResult[]> {
    const parsed = paths.map((path) => this.#parse(path));
    this.#begin();
    const goals = parsed.map((path) => new RepairGoal(path, this.store.storeDir));
    const results = await this.#graph.request(goals, signal);
    return results.map((result, index) => ({ ...result, path: parsed[index]! }));
  }

  /**
   * What realising `paths` would take. Nothing is changed, and no signature verified.
   *
   * @throws {FormatError} on what is no store path; the reason of `signal`.
   */
  async queryMissing(
    paths: readonly (StorePath | string)[],
    { signal = new AbortController().signal }: RealiseOptions = {},
  ): Promise<MissingPaths> {
    this.#begin();
    const substituters = await this.#substituters.inOrder();
    const valid = new ValidPaths(this.store, { protect: false });
    return queryMissing(
      paths.map((path) => this.#parse(path)),
      {
        isValidPath: (path) => valid.has(path),
        find: (path) => this.#find(path, substituters, signal),
      },
    );
  }

  /** Those of `paths` that caches have which want to be asked for many at once (`WantMassQuery`). */
  async querySubstitutablePaths(
    paths: readonly (StorePath | string)[],
    options: RealiseOptions = {},
  ): Promise<Set<StorePath>> {
    return new Set((await this.querySubstitutablePathInfos(paths, options)).keys());
  }

  /** As {@link Scheduler.querySubstitutablePaths}, with what the caches say of the paths. */
  async querySubstitutablePathInfos(
    paths: readonly (StorePath | string)[],
    { signal = new AbortController().signal }: RealiseOptions = {},
  ): Promise<Map<StorePath, FoundPath>> {
    this.#begin();
    const inOrder = await this.#substituters.inOrder();
    const wanting = await Promise.all(inOrder.map((each) => each.wantsMassQuery()));
    const substituters = inOrder.filter((_, index) => wanting[index]);
    const infos = new Map<StorePath, FoundPath>();
    const ask = async (path: StorePath): Promise<void> => {
      const found = await this.#find(path, substituters, signal);
      if (found !== undefined) infos.set(path, found);
    };
    await Promise.all([...new Set(paths.map((path) => this.#parse(path)))].map(ask));
    return infos;
  }

  /** Waits for running goals to end, then releases worker threads, the staging directory, and what it opened itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#graph.idle();
    await this.#resources.disposeAsync();
  }

  /** Tells what went wrong before anybody could listen. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const { uri, error } of this.#substituters.unopened) {
      this.events.emit('substituterSetAside', { substituter: uri, error, milliseconds: Number.POSITIVE_INFINITY });
    }
  }

  /** What is not even there is not valid: its info is asked for while the database is opened. */
  #expect(paths: readonly StorePath[]): void {
    const missing = paths.slice(0, FEW).filter((path) => isMissing(this.store, path));
    // What goes wrong shows again when it is needed.
    const inOrder = this.#substituters.inOrder();
    if (inOrder instanceof Promise) return;
    const [first, ...others] = inOrder;
    for (const path of missing) {
      // The goal shares this request, and so what is told of it.
      const onRetry = (error: SluiceError): void => this.#tellRetry(path, first!, error);
      first?.store.queryPathInfo(path, { impatient: others.length > 0, onRetry }).catch(() => {});
    }
  }

  #tellRetry(path: StorePath, { uri }: Substituter, error: SluiceError): void {
    this.events.emit('queryRetried', { path, substituter: uri, error });
  }

  /** The first in order that has a path which is likely to be trusted. */
  async #find(
    path: StorePath,
    substituters: readonly Substituter[],
    signal: AbortSignal,
  ): Promise<FoundPath | undefined> {
    const search = new PathSearch(path, substituters, {
      signal,
      onRetry: (substituter, error) => this.#tellRetry(path, substituter, error),
      onFailure: ({ uri }, error) =>
        this.events.emit('substituterFailed', { path, substituter: uri, error, next: search.upcoming }),
    });
    for (let candidate = await search.next(); candidate !== undefined; candidate = await search.next()) {
      const { info, substituter } = candidate;
      if (!substituter.trusted && !this.#trust.mayAccept(substituter.store.storeDir, info)) continue;
      search.end();
      return { info, substituter: substituter.uri };
    }
    return undefined;
  }

  #parse(path: string): StorePath {
    return path.startsWith('/') ? parseStorePath(this.store.storeDir, path) : parseBaseName(path);
  }

  #substitution(path: StorePath): SubstitutionGoal {
    return new SubstitutionGoal(path, this.store.storeDir, this.#trust);
  }

  #run(node: GoalNode<SubstitutionGoal | RepairGoal>): Promise<GoalResult> {
    this.events.emit('goalStarted', { path: node.goal.path });
    return node.goal.run(this.#context(node));
  }

  #ended(node: GoalNode<SubstitutionGoal | RepairGoal>): void {
    const result = node.result!;
    if (result.state === 'succeeded') this.#registrar.markValid(node.goal.path);
    this.events.emit('goalFinished', { path: node.goal.path, result });
  }

  #context(node: GoalNode<SubstitutionGoal | RepairGoal>): RepairContext {
    return {
      repairs: this.#repairs,
      substituters: () => this.#substituters.inOrder(),
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
      claim: (path) => this.#claims.claim(path),
      partialLocation: (info) => this.store.partialLocation(info),
      claimSpace: ({ path, narSize }) =>
        this.store.claimSpace(path, narSize, (needed) => this.#autoCollector.makeRoom(needed)),
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
    this.#autoCollector.check();
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

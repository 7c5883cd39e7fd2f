/**
 * The embedding API: opens a store, makes paths valid in it, tells what happens, and releases everything at the end.
 *
 * Source: Nix 2.35 libstore/build/entry-points.cc.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { EventEmitter } from 'eventemitter3';
import { type SluiceError, UsageError } from '../errors.ts';
import { isDerivationPath } from '../formats/derivation-hash.ts';
import { type DerivedPath, parseDerivedPath } from '../formats/derived-path.ts';
import { parseBaseName, parseStorePath, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import type { GoalResult, WantedOutputs } from '../goals/goal.ts';
import type { BuildMode } from '../pool/messages.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import { makeSettings, type Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { openLocalStoreAt } from '../stores/open-store.ts';
import type { Store } from '../stores/store.ts';
import { Trust } from '../stores/trust.ts';
import type { Substituter } from '../substituters/substituter.ts';
import { Substituters } from '../substituters/substituters.ts';
import { AutoCollector } from './auto-collector.ts';
import { type BuildOutcome, outcomeOf } from './build-outcome.ts';
import { CurrentLoad } from './current-load.ts';
import { Derivations } from './derivations.ts';
import { findSubstitute } from './find-substitute.ts';
import { type GoalRequest, GoalRunner } from './goal-runner.ts';
import { type FoundPath, type MissingPaths, queryMissing } from './query-missing.ts';
import { readMachines } from './read-machines.ts';
import { ValidPaths } from './valid-paths.ts';

/** So many expected paths are asked for before the database is open. */
const FEW = 8;

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

export interface BuildOptions extends RealiseOptions {
  /** `normal` by default. */
  readonly mode?: BuildMode | undefined;
}

/** How the realisation of one path ended. */
export type RealiseResult = GoalResult & { readonly path: StorePath };

interface SchedulerParts {
  readonly store: LocalStore;
  readonly events: EventEmitter<SchedulerEvents>;
  readonly settings: Settings;
  readonly trust: Trust;
  readonly substituters: Substituters;
  readonly goals: GoalRunner;
  readonly resources: AsyncDisposableStack;
}

export class Scheduler implements AsyncDisposable {
  readonly events: EventEmitter<SchedulerEvents>;
  readonly store: LocalStore;
  readonly settings: Settings;
  readonly #substituters: Substituters;
  readonly #resources: AsyncDisposableStack;
  readonly #trust: Trust;
  readonly #goals: GoalRunner;
  /** Whether anybody has asked for anything. */
  #begun = false;

  private constructor(parts: SchedulerParts) {
    this.store = parts.store;
    this.events = parts.events;
    this.settings = parts.settings;
    this.#trust = parts.trust;
    this.#substituters = parts.substituters;
    this.#goals = parts.goals;
    this.#resources = parts.resources;
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
    // Of builds the threads see little but their ends.
    const concurrency = Math.max(1, settings.maxSubstitutionJobs) + settings.maxJobs;
    const pool = opened.use(new WorkerPool({ settings, concurrency }));
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
    const collector = opened.use(
      new AutoCollector({ store, settings, pool, onFinished: (result) => events.emit('garbageCollected', result) }),
    );
    const onSetAside = (machine: string, error: SluiceError, milliseconds: number): void => {
      events.emit('machineSetAside', { machine, error, milliseconds });
    };
    const goals = opened.use(
      new GoalRunner({
        store,
        settings,
        trust,
        events,
        pool,
        machines: {
          machines: await readMachines(settings),
          shared: opened.use(new CurrentLoad(store.stateDir)),
          onSetAside,
        },
        substituters: () => substituters.inOrder(),
        collector,
      }),
    );
    return new Scheduler({ store, events, settings, trust, substituters, goals, resources: opened.move() });
  }

  /** The stores to copy from. */
  get substituters(): readonly Store[] {
    return this.#substituters.all.map(({ store }) => store);
  }

  /**
   * Makes paths valid, with all that they refer to.
   *
   * @param paths - whole (`/nix/store/HASH-NAME`), or parsed already; also outputs, as {@link Scheduler.build} takes
   *   them, whose results have the path of the derivation.
   * @returns how each ended, in order. Failures are results, not throws.
   * @throws {FormatError} on what is no store path; the reason of `signal`, once everything has stopped and nothing
   *   half done is left.
   */
  async realise(paths: readonly (StorePath | string)[], { signal }: RealiseOptions = {}): Promise<RealiseResult[]> {
    const parsed = paths.map((path) => this.#parseRequest(path));
    this.#begin();
    this.#expect(parsed.filter(({ kind }) => kind === 'opaque').map(({ path }) => path));
    const results = await this.#goals.request(
      parsed.map((request) => goalOf(request, 'normal')),
      signal,
    );
    return results.map((result, index) => ({ ...result, path: parsed[index]!.path }));
  }

  /**
   * Makes paths valid, and outputs of derivations: these are substituted where a substituter has them, and otherwise
   * built, with all that this takes.
   *
   * @param requests - outputs, `DRV^out,dev` or `DRV^*` for all; or store paths as for {@link Scheduler.realise}. A
   *   derivation alone is refused, since it could mean either: its outputs are `DRV^*`, and the `.drv` file itself is what
   *   {@link Scheduler.realise} makes valid, or `{ kind: 'opaque', path }` here.
   * @returns and throws as {@link Scheduler.realise}; {@link FormatError} on what is no request, {@link UsageError} on a
   *   derivation alone.
   */
  async build(
    requests: readonly (DerivedPath | string)[],
    { mode = 'normal', signal }: BuildOptions = {},
  ): Promise<BuildOutcome[]> {
    const parsed = requests.map((each) => this.#parseBuild(each));
    this.#begin();
    const results = await this.#goals.request(
      parsed.map((request) => goalOf(request, mode)),
      signal,
    );
    return results.map((result, index) => outcomeOf(parsed[index]!, result));
  }

  /**
   * Makes the contents of paths what was registered, from substituters where they are not, or by building their
   * derivers once more; what is not valid is realised. What the paths refer to is not looked at.
   *
   * @returns and throws as {@link Scheduler.realise}. Paths whose contents are good are `alreadyValid`.
   */
  async repair(paths: readonly (StorePath | string)[], { signal }: RealiseOptions = {}): Promise<RealiseResult[]> {
    const parsed = paths.map((path) => this.#parse(path));
    this.#begin();
    const results = await this.#goals.request(
      parsed.map((path) => ({ kind: 'repairOrBuild', path })),
      signal,
    );
    return results.map((result, index) => ({ ...result, path: parsed[index]! }));
  }

  /**
   * What {@link Scheduler.realise} of the same requests would take. Nothing is changed, and no signature verified.
   *
   * @throws {FormatError} on what is no request; the reason of `signal`.
   */
  async queryMissing(
    requests: readonly (DerivedPath | string)[],
    { signal = new AbortController().signal }: RealiseOptions = {},
  ): Promise<MissingPaths> {
    this.#begin();
    const substituters = await this.#substituters.inOrder();
    const valid = new ValidPaths(this.store, { protect: false });
    const derivations = new Derivations(this.store);
    return queryMissing(
      requests.map((each) => this.#parseRequest(each)),
      {
        settings: this.settings,
        isValidPath: (path) => valid.has(path),
        find: (path) => this.#find(path, substituters, signal),
        readDerivation: (drvPath) => derivations.read(drvPath),
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

  async #find(
    path: StorePath,
    substituters: readonly Substituter[],
    signal: AbortSignal,
  ): Promise<FoundPath | undefined> {
    return await findSubstitute(path, substituters, { trust: this.#trust, events: this.events, signal });
  }

  #parse(path: string): StorePath {
    return path.startsWith('/') ? parseStorePath(this.store.storeDir, path) : parseBaseName(path);
  }

  /** Nix has meant the one by a derivation alone, and the other: nobody is left in doubt. */
  #parseBuild(request: DerivedPath | string): DerivedPath {
    const parsed = this.#parseRequest(request);
    if (typeof request !== 'string' || parsed.kind === 'built' || !isDerivationPath(parsed.path)) return parsed;
    throw new UsageError(`'${request}' may mean the derivation itself, or its outputs`, {
      hint: `to build all outputs say '${request}^*'; realise() makes the derivation itself valid`,
    });
  }

  #parseRequest(request: DerivedPath | string): DerivedPath {
    return typeof request === 'string' ? parseDerivedPath(this.store.storeDir, request) : request;
  }
}

/** The goal that a request is about. */
function goalOf(request: DerivedPath, mode: BuildMode): GoalRequest {
  const { path } = request;
  if (request.kind === 'built') return { kind: 'outputs', drvPath: path, outputs: sorted(request.outputs), mode };
  return { kind: mode === 'repair' ? 'repairOrBuild' : 'path', path };
}

function sorted(outputs: WantedOutputs): WantedOutputs {
  return outputs === 'all' ? outputs : [...new Set(outputs)].sort();
}

function isMissing(store: LocalStore, path: StorePath | string): boolean {
  return !existsSync(store.realPath(basename(path) as StorePath));
}

/** Starts a thread, and has it open the stores, before there is a job for it. */
function warm(pool: WorkerPool, stores: readonly string[]): void {
  pool.run('open', { stores }, { weight: 0 }).catch(() => {}); // what is wrong with a store shows when it is used
}

/**
 * Runs the goals of goals/ and owns what they share: the graph, slots, locks, the staging directory, registration, and
 * what is known of paths and derivations for as long as goals are under way.
 *
 * Source: Nix 2.35 libstore/build/worker.cc.
 */
import type { EventEmitter } from 'eventemitter3';
import { asSluiceError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import { BuildGoal } from '../goals/build-goal.ts';
import { DerivationGoal } from '../goals/derivation-goal.ts';
import type { SchedulerEvents } from '../goals/events.ts';
import { failingExitStatus } from '../goals/exit-status.ts';
import type { GoalResult, Need } from '../goals/goal.ts';
import { RepairGoal } from '../goals/repair-goal.ts';
import { RepairOrBuildGoal } from '../goals/repair-or-build-goal.ts';
import { SubstitutionGoal } from '../goals/substitution-goal.ts';
import type { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import type { Trust } from '../stores/trust.ts';
import type { Substituter } from '../substituters/substituter.ts';
import type { AutoCollector } from './auto-collector.ts';
import { LocalBuilds } from './builds.ts';
import { Derivations } from './derivations.ts';
import { GoalGraph, type GoalNode, type Sparing } from './goal-graph.ts';
import { Machines, type MachinesOptions } from './machines.ts';
import { NodeContext, type OtherGoals, type SharedContext } from './node-context.ts';
import { PathClaims } from './path-claims.ts';
import { Registrar } from './registrar.ts';
import { Repairs } from './repairs.ts';
import { StagingArea } from './staging-area.ts';
import { makeSlots, TransferSlots } from './transfer-slots.ts';
import { ValidPaths } from './valid-paths.ts';

/**
 * So many more goals of derivations than have slots may be active. Not fewer, so that there are urgent ones among them,
 * and questions come many at a time; not more, because collections of young objects copy what each holds, and stop the
 * event loop meanwhile.
 */
const AHEAD = 128;

/** Of the local store, what goals need. */
export type GoalStore = Pick<
  LocalStore,
  | 'addTempRoots'
  | 'claimSpace'
  | 'isValidPath'
  | 'lockPath'
  | 'openStaging'
  | 'openUri'
  | 'partialLocation'
  | 'queryPathInfo'
  | 'queryPathInfos'
  | 'queryValidPaths'
  | 'realPath'
  | 'registerStaged'
  | 'replacePath'
  | 'storeDir'
  | 'tryLockPath'
  | 'uri'
>;

export interface GoalRunnerOptions {
  readonly store: GoalStore;
  readonly settings: Settings;
  readonly trust: Trust;
  readonly events: EventEmitter<SchedulerEvents>;
  readonly pool: Pick<WorkerPool, 'run' | 'lookHowBusy'>;
  /** See {@link Machines}. */
  readonly machines: Omit<MachinesOptions, 'version'>;
  readonly substituters: () => readonly Substituter[] | Promise<readonly Substituter[]>;
  /** Makes room on the disk of the store. */
  readonly collector: Pick<AutoCollector, 'check' | 'makeRoom'>;
}

/** What can be asked for, beside what goals need of each other: a repair, in whichever way. */
export type GoalRequest = Need | { readonly kind: 'repairOrBuild'; readonly path: StorePath };

type AnyGoal = SubstitutionGoal | RepairGoal | RepairOrBuildGoal | DerivationGoal | BuildGoal;
type Node = GoalNode<AnyGoal>;

/** Disposing waits for running goals to end. */
export class GoalRunner implements AsyncDisposable {
  readonly #options: GoalRunnerOptions;
  readonly #graph: GoalGraph<AnyGoal>;
  readonly #slots: TransferSlots;
  readonly #staging: StagingArea;
  readonly #validPaths: ValidPaths;
  readonly #claims: PathClaims;
  readonly #registrar: Registrar;
  readonly #repairs: Repairs;
  readonly #derivations: Derivations;
  readonly #machines: Machines;
  readonly #builds: LocalBuilds;
  readonly #shared: SharedContext;
  readonly #others: OtherGoals<AnyGoal>;

  constructor(options: GoalRunnerOptions) {
    const { store, settings, events, pool } = options;
    this.#options = options;
    this.#graph = new GoalGraph({
      keepGoing: settings.keepGoing,
      sparing: sparing(options),
      onAdded: (node) => this.#added(node),
      run: (node) => this.#run(node),
      onEnded: (node) => this.#ended(node),
      onForgotten: () => this.#forget(),
    });
    const version = (): number => this.#graph.rankVersion();
    const slots = makeSlots(settings, version);
    this.#slots = new TransferSlots(slots, () => pool.lookHowBusy());
    this.#staging = new StagingArea(store);
    this.#validPaths = new ValidPaths(store);
    this.#claims = new PathClaims(store);
    this.#repairs = new Repairs(store, pool);
    this.#registrar = new Registrar({
      store,
      onRegistered: (paths, milliseconds) => events.emit('pathsRegistered', { paths, milliseconds }),
    });
    this.#derivations = new Derivations(store);
    this.#machines = new Machines({ ...options.machines, version });
    const stagingLocation = (name: string): Promise<string> => this.#stagingLocation(name);
    this.#builds = new LocalBuilds({
      store,
      settings,
      slots,
      machines: this.#machines,
      pool,
      registrar: this.#registrar,
      stagingLocation,
      removeLater: (location) => this.#staging.removeLater(location),
    });
    this.#shared = this.#makeShared();
    this.#others = {
      graph: this.#graph,
      of: (need) => this.#goal(need),
      ofPath: (path, asking) => this.#substitution(path, asking instanceof SubstitutionGoal && asking.again),
    };
  }

  /** Works on goals until all have ended: see {@link GoalGraph.request}. */
  request(requests: readonly GoalRequest[], signal?: AbortSignal): Promise<GoalResult[]> {
    const goals = requests.map((each) => this.#goal(each));
    return this.#graph.request(goals, signal);
  }

  /** How many slots are held, of any kind, also on other machines: none where nothing is done. */
  get slotsTaken(): number {
    return this.#slots.taken + this.#machines.taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#graph.idle();
    await this.#staging[Symbol.asyncDispose]();
  }

  #goal(need: GoalRequest): AnyGoal {
    const { storeDir } = this.#options.store;
    switch (need.kind) {
      case 'path':
        return this.#substitution(need.path, need.again);
      case 'repair':
        return new RepairGoal(need.path, storeDir);
      case 'repairOrBuild':
        return new RepairOrBuildGoal(need.path);
      case 'outputs':
        return new DerivationGoal(need.drvPath, need.outputs, need.mode, storeDir);
      case 'build':
        return new BuildGoal(need.drvPath, need.mode);
    }
  }

  #substitution(path: StorePath, again?: boolean): SubstitutionGoal {
    const { store, trust } = this.#options;
    return new SubstitutionGoal(path, store.storeDir, trust, again);
  }

  #added({ goal }: Node): void {
    if (goal instanceof BuildGoal) return; // of a build there are events of its own
    this.#options.events.emit('goalStarted', { path: goal.path });
  }

  async #run(node: Node): Promise<GoalResult> {
    let result: GoalResult;
    try {
      result = await node.goal.run(new NodeContext(node, this.#shared, this.#others));
    } catch (error) {
      if (node.cancelled) throw error;
      result = { state: 'failed', failure: asSluiceError(error) };
    }
    if (!('failure' in result)) return result;
    const others = Array.from(node.needs ?? [], (needed) => needed.result).filter((each) => each !== undefined);
    const exitStatus = failingExitStatus([result, ...others]);
    return exitStatus === 1 ? result : { ...result, exitStatus };
  }

  #ended({ goal, result }: Node): void {
    if (goal instanceof BuildGoal) return;
    const isPath = !(goal instanceof DerivationGoal);
    if (isPath && result!.state === 'succeeded') this.#registrar.markValid(goal.path);
    this.#options.events.emit('goalFinished', { path: goal.path, result: result! });
  }

  #forget(): void {
    this.#registrar.clear();
    this.#repairs.clear();
    this.#derivations.clear();
    this.#builds.clear();
  }

  /** What the contexts of all goals have in common, made once: there may be many thousands of them. */
  #makeShared(): SharedContext {
    const { store, settings, events, pool, substituters, collector } = this.#options;
    return {
      storeDir: store.storeDir,
      store: store.openUri,
      settings,
      events,
      repairs: this.#repairs,
      builds: this.#builds,
      substituters,
      isValidPath: (path) => this.#validPaths.has(path),
      readDerivation: (drvPath) => this.#derivations.read(drvPath),
      slot: (kind, signal, size) => this.#slots.acquire(kind, signal, size),
      runJob: (name, request, options) => pool.run(name, request, options),
      claim: (path) => this.#claims.claim(path),
      claimSpace: ({ path, narSize }) => store.claimSpace(path, narSize, (needed) => collector.makeRoom(needed)),
      partialLocation: (info) => store.partialLocation(info),
      stagingLocation: (path) => this.#stagingLocation(path),
      discard: removeTree,
      register: (staged, signal) => this.#registrar.register(staged, signal),
    };
  }

  #stagingLocation(name: string): Promise<string> {
    this.#options.collector.check();
    return this.#staging.location(name);
  }
}

function sparing({ machines, settings }: GoalRunnerOptions): Sparing<AnyGoal> {
  const slots = machines.machines.reduce((sum, { maxJobs }) => sum + maxJobs, settings.maxJobs);
  const of = (goal: AnyGoal): boolean => goal instanceof DerivationGoal || goal instanceof BuildGoal;
  return { of, least: slots + AHEAD / 2, most: slots + AHEAD };
}

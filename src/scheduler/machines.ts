/**
 * The machines that build for this one, and who gets a slot of which. As in Nix, of those that can build something it
 * goes to the one with the least load for its speed, then to the fastest, then to the one with the least load.
 *
 * A machine that cannot be reached is set aside for a while, longer each time, and in the end for good; what needs it
 * goes elsewhere. After that while it is tried again where none of those that work has a slot.
 *
 * Source: Nix 2.35 nix/build-remote/build-remote.cc.
 */
import { asSluiceError, BuildError, SluiceError } from '../errors.ts';
import { type Machine, supportsFeatures, supportsSystem } from '../formats/machines.ts';
import { withoutCredentials } from '../formats/store-reference.ts';
import { CircuitBreaker } from '../substituters/circuit-breaker.ts';
import { type Priority, Turns } from './turns.ts';

/** How often in a row a machine is set aside before it is left alone. */
const MOST_OPENINGS = 5;
/** How often, in milliseconds, those who wait look for what no event tells: other processes, and machines that are back. */
const POLL = 100;
/** Slots of one machine: each is a file that is open. */
const MOST_SLOTS = 512;

/** What a machine must have. */
export interface MachineNeed {
  readonly system: string;
  readonly features: readonly string[];
}

/** A slot of a machine, until it is disposed. */
export interface MachineSlot extends Disposable {
  readonly machine: Machine;
  /**
   * The machine has built what was asked, and what is left is to fetch it: the slot goes to the next. It stays where it
   * is while outputs of as many builds are being fetched as the machine has slots, so that no more lies there than that.
   */
  built(): void;
  /** The machine has done what was asked, or has said that it cannot be done. */
  succeeded(): void;
  /** The machine could not be reached, or broke off. */
  failed(error: SluiceError): void;
}

/** The slots as other processes see them: see {@link CurrentLoad}. */
export interface SharedSlots {
  whileLocked<T>(action: () => T): T | undefined;
  trySlot(uri: string, slot: number): Disposable | undefined;
}

export interface MachinesOptions {
  readonly machines: readonly Machine[];
  readonly shared: SharedSlots;
  /** See {@link Turns}. */
  readonly version?: (() => number) | undefined;
  readonly onSetAside?: ((uri: string, error: SluiceError, milliseconds: number) => void) | undefined;
  /** As of {@link CircuitBreaker}. */
  readonly now?: (() => number) | undefined;
}

interface Watched {
  readonly machine: Machine;
  readonly breaker: CircuitBreaker;
  /** Numbers of the slots that this process has. */
  readonly taken: Set<number>;
  /** Builds without a slot whose outputs are being fetched. */
  fetching: number;
  /** How often it was set aside since it last worked. */
  openings: number;
}

/** Those who need the same. */
interface Class {
  readonly need: MachineNeed;
  /** Each is given a slot, or why it will never get one. */
  readonly turns: Turns<MachineSlot | SluiceError>;
}

export class Machines {
  readonly #options: MachinesOptions;
  readonly #machines: readonly Watched[];
  readonly #classes = new Map<string, Class>();
  #poll: NodeJS.Timeout | undefined;

  constructor(options: MachinesOptions) {
    this.#options = options;
    this.#machines = options.machines.map((machine) => this.#watch(machine));
  }

  /** How many slots this process has. */
  get taken(): number {
    return this.#machines.reduce((sum, { taken }) => sum + taken.size, 0);
  }

  /** Whether a machine could ever build it. */
  supports(need: MachineNeed): boolean {
    return this.#machines.some((each) => canBuild(each.machine, need) && !each.breaker.isDisabled);
  }

  /** Why no machine builds it any more, where one could. */
  lostFor(need: MachineNeed): SluiceError | undefined {
    return this.#machines.find((each) => canBuild(each.machine, need) && each.breaker.isDisabled)?.breaker.reason;
  }

  /** A slot of the best machine that has one now. */
  tryAcquire(need: MachineNeed): MachineSlot | undefined {
    const able = this.#machines.filter((each) => canBuild(each.machine, need) && !each.breaker.isResting);
    if (able.length === 0) return undefined;
    return this.#options.shared.whileLocked(() => this.#takeBest(able));
  }

  /**
   * Waits for a slot.
   *
   * @throws the reason of `signal`; {@link BuildError} where there is no machine any more.
   */
  async acquire(need: MachineNeed, priority: Priority, signal: AbortSignal): Promise<MachineSlot> {
    const { turns } = this.#classOf(need);
    const free = turns.waiting === 0 ? this.tryAcquire(need) : undefined;
    if (free !== undefined) return free;
    this.#startPolling();
    const given = await turns.wait(signal, priority);
    if (given instanceof SluiceError) throw given;
    if (!signal.aborted) return given;
    given[Symbol.dispose]();
    throw signal.reason;
  }

  #watch(machine: Machine): Watched {
    const uri = withoutCredentials(machine.store);
    const onOpened = (error: SluiceError, milliseconds: number): void => {
      watched.openings++;
      this.#options.onSetAside?.(uri, error, milliseconds);
    };
    const onClosed = (): void => {
      watched.openings = 0;
    };
    const breaker = new CircuitBreaker({ now: this.#options.now, onOpened, onClosed });
    const watched: Watched = { machine, breaker, taken: new Set(), fetching: 0, openings: 0 };
    return watched;
  }

  #classOf(need: MachineNeed): Class {
    const key = JSON.stringify([need.system, need.features]);
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    const made: Class = { need, turns: new Turns({ version: this.#options.version }) };
    this.#classes.set(key, made);
    return made;
  }

  #takeBest(able: readonly Watched[]): MachineSlot | undefined {
    let best: { readonly watched: Watched; readonly load: number; readonly free: Free } | undefined;
    using others = new DisposableStack();
    for (const watched of able) {
      const { load, free } = this.#look(watched);
      if (free === undefined) continue;
      if (best !== undefined && !isBetter(watched, load, best)) {
        others.use(free.lock);
        continue;
      }
      others.use(best?.free.lock);
      best = { watched, load, free };
    }
    if (best === undefined) return undefined;
    best.watched.breaker.allows(); // it does, and now counts on hearing how it went
    return this.#lend(best.watched, best.free);
  }

  /** How many slots of a machine are taken, by whichever process, and the first that is not. */
  #look({ machine, taken }: Watched): { readonly load: number; readonly free: Free | undefined } {
    let load = taken.size;
    let free: Free | undefined;
    for (let slot = 0; slot < Math.min(machine.maxJobs, MOST_SLOTS); slot++) {
      if (taken.has(slot)) continue;
      const lock = this.#options.shared.trySlot(machine.store, slot);
      if (lock === undefined) load++;
      else if (free === undefined) free = { slot, lock };
      else lock[Symbol.dispose]();
    }
    return { load, free };
  }

  #lend(watched: Watched, { slot, lock }: Free): MachineSlot {
    const { machine, breaker, taken } = watched;
    taken.add(slot);
    const lease = new DisposableStack();
    const building = lease.use(new DisposableStack());
    building.defer(() => this.#serve());
    building.defer(() => taken.delete(slot));
    building.use(lock);
    let told = false;
    lease.defer(() => told || breaker.untried());
    const succeeded = (): void => {
      told = true;
      breaker.succeeded();
    };
    return {
      machine,
      built: () => {
        succeeded();
        if (building.disposed || watched.fetching >= machine.maxJobs) return;
        watched.fetching++;
        lease.defer(() => watched.fetching--);
        building.dispose();
      },
      succeeded,
      failed: (error) => {
        told = true;
        breaker.trip(error);
        if (watched.openings >= MOST_OPENINGS) breaker.disable(error);
      },
      [Symbol.dispose]: () => lease.dispose(),
    };
  }

  /** Gives what is free to those who wait, to the one that waits behind most first. */
  #serve(): void {
    const waiting = [...this.#classes.values()].filter(({ turns }) => turns.waiting > 0);
    while (waiting.length > 0) {
      waiting.sort((a, b) => a.turns.nextPriority! - b.turns.nextPriority!);
      const { need, turns } = waiting.pop()!;
      const given = this.#giveTo(need);
      if (given === undefined || !turns.wakeNext(given)) continue;
      if (turns.waiting > 0) waiting.push({ need, turns });
    }
  }

  #giveTo(need: MachineNeed): MachineSlot | SluiceError | undefined {
    try {
      return this.tryAcquire(need) ?? (this.supports(need) ? undefined : this.#gone(need));
    } catch (error) {
      return asSluiceError(error); // where there can be no locks
    }
  }

  #startPolling(): void {
    this.#poll ??= setInterval(() => {
      this.#serve();
      if ([...this.#classes.values()].some(({ turns }) => turns.waiting > 0)) return;
      clearInterval(this.#poll);
      this.#poll = undefined;
    }, POLL);
  }

  #gone(need: MachineNeed): BuildError {
    const cause = this.lostFor(need);
    return new BuildError(`no machine is left that builds for ${need.system}: ${cause?.message}`, {
      cause,
      failure: { status: 'miscFailure' },
    });
  }
}

interface Free {
  readonly slot: number;
  readonly lock: Disposable;
}

function canBuild(machine: Machine, { system, features }: MachineNeed): boolean {
  return supportsSystem(machine, system) && supportsFeatures(machine, features);
}

function isBetter(
  { machine, openings }: Watched,
  load: number,
  best: { readonly watched: Watched; readonly load: number },
): boolean {
  if (openings !== best.watched.openings) return openings < best.watched.openings;
  const [ours, theirs] = [load / machine.speedFactor, best.load / best.watched.machine.speedFactor];
  if (ours !== theirs) return ours < theirs;
  const faster = machine.speedFactor - best.watched.machine.speedFactor;
  return faster > 0 || (faster === 0 && load < best.load);
}

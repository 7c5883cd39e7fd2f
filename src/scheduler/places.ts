/**
 * Where builds run: here, on another machine, or wherever the build hook says.
 *
 * As in Nix, another machine is preferred where one is free, unless the derivation would rather be built here; checks and
 * repairs are about this store, and run here.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc.
 */
import { BuildError, type SluiceError } from '../errors.ts';
import type { BuildPlace, BuildTask } from '../goals/derivation-context.ts';
import type { SlotKind } from '../goals/goal.ts';
import type { JobName, Reply, Request } from '../pool/messages.ts';
import type { RunOptions } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import { hookPlace } from './hook-place.ts';
import { localObstacles, rejection } from './local-obstacles.ts';
import { machinePlace } from './machine-place.ts';
import type { MachineNeed, Machines } from './machines.ts';
import type { Slots } from './slots.ts';

/** What a place needs of the pool. */
export interface JobRunner {
  run<N extends JobName>(name: N, request: Request<N>, options?: RunOptions): Promise<Reply<N>>;
}

export interface PlacesOptions {
  readonly settings: Settings;
  readonly slots: Readonly<Record<SlotKind, Slots>>;
  readonly machines: Machines;
  readonly pool: JobRunner;
}

export class Places {
  readonly #options: PlacesOptions;
  /** The hook will accept nothing any more. */
  #withoutHook = false;
  /** Why there are no further builds. */
  #stopped: SluiceError | undefined;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** There are no further builds; those that run go on. */
  stop(reason: SluiceError): void {
    this.#stopped ??= reason;
  }

  /** There may be builds again. */
  clear(): void {
    this.#stopped = undefined;
    this.#withoutHook = false;
  }

  /**
   * Waits until the derivation can be built somewhere.
   *
   * @throws {BuildError} where that will never be; the reason of `signal`.
   */
  async find(task: BuildTask, declined: boolean, signal: AbortSignal): Promise<BuildPlace> {
    this.#throwIfStopped();
    using found = new DisposableStack();
    const place = found.use(await this.#find(task, declined, signal));
    this.#throwIfStopped();
    found.move();
    return place;
  }

  async #find(task: BuildTask, declined: boolean, signal: AbortSignal): Promise<BuildPlace> {
    const { settings, slots, machines, pool } = this.#options;
    const obstacles = localObstacles(task, settings);
    const isLocal = obstacles.length === 0;
    const local = (waiting: AbortSignal): Promise<BuildPlace> => this.#local(task, waiting);
    if (task.mode !== 'normal' || (isLocal && (declined || task.options.preferLocalBuild))) {
      if (!isLocal) throw rejection(task, obstacles);
      return await local(signal);
    }
    if (settings.buildHook !== '' && !this.#withoutHook && !declined) {
      const amWilling = isLocal && slots.build.isFree;
      return hookPlace(pool, { task, amWilling, onDeclined: () => (this.#withoutHook = true) });
    }
    const need: MachineNeed = { system: systemOf(task), features: task.options.requiredSystemFeatures };
    if (!machines.supports(need)) {
      const lost = machines.lostFor(need);
      if (!isLocal) throw rejection(task, obstacles, lost);
      return await local(signal);
    }
    const slot = machines.tryAcquire(need);
    if (slot !== undefined) return machinePlace(pool, slot);
    const remote = async (waiting: AbortSignal): Promise<BuildPlace> =>
      machinePlace(pool, await machines.acquire(need, task.priority, waiting));
    return isLocal ? await firstOf([local, remote], signal) : await remote(signal);
  }

  /** What only downloads takes a slot of those that download. */
  async #local(task: BuildTask, signal: AbortSignal): Promise<BuildPlace> {
    const { slots, pool } = this.#options;
    const kind: SlotKind = task.derivation.builder === 'builtin:fetchurl' ? 'substitution' : 'build';
    const slot = await slots[kind].acquire(signal, task.priority);
    return {
      machine: undefined,
      run: (request, options) => pool.run('build', request, options),
      [Symbol.dispose]: () => slot[Symbol.dispose](),
    };
  }

  #throwIfStopped(): void {
    if (this.#stopped === undefined) return;
    throw new BuildError(`there are no further builds: ${this.#stopped.message}`, {
      cause: this.#stopped,
      failure: { status: 'miscFailure' },
    });
  }
}

function systemOf({ derivation }: BuildTask): string {
  return derivation.builder.startsWith('builtin:') ? 'builtin' : derivation.system;
}

/**
 * What comes first of several things that can be waited for; the others are given up, and what one of them gets all the
 * same is disposed.
 */
async function firstOf<T extends Disposable>(
  waits: readonly ((signal: AbortSignal) => Promise<T>)[],
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const others = new AbortController();
  using cleanup = new DisposableStack();
  const abort = (): void => others.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  cleanup.defer(() => signal.removeEventListener('abort', abort));
  const all = waits.map((wait) => wait(others.signal));
  // Where one can no longer be had, the other may still be.
  const index = await Promise.any(all.map((each, at) => each.then(() => at))).catch(() => 0);
  cleanup.defer(() => {
    for (const each of all)
      if (each !== all[index])
        each.then(
          (held) => held[Symbol.dispose](),
          () => {},
        );
    others.abort();
  });
  return await all[index]!;
}

/**
 * What the events of a scheduler say of builds: which run, how far they are, and how many there are.
 *
 * What counts as failed: Nix 2.35 libstore/build/derivation-building-goal.cc, doneFailure.
 */
import type { EventEmitter } from 'eventemitter3';
import { isDependencyFailure } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import type { BuildView, SchedulerEvents } from '../../goals/events.ts';

export interface RunningBuild extends BuildView {
  /** Where it runs, if not on this machine. */
  readonly machine: string | undefined;
  readonly startedAt: number;
  /** The phase that the builder is in, where it says. */
  readonly phase: string | undefined;
  /** What the builder printed last. */
  readonly lastLine: string | undefined;
}

export class BuildTally {
  /** By the time they began, oldest first. */
  readonly running: Map<StorePath, RunningBuild> = new Map();
  readonly #now: () => number;
  /** Derivations whose build is to come, or runs. */
  readonly #pending = new Set<StorePath>();
  #done = 0;
  #failed = 0;
  #notBegun = 0;

  /** @param now - in milliseconds, from any beginning. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Builds that have ended well. */
  get done(): number {
    return this.#done;
  }

  /** Builds that have failed themselves. */
  get failed(): number {
    return this.#failed;
  }

  /** Derivations that were to be built, and cannot be, since something failed that they need. */
  get notBegun(): number {
    return this.#notBegun;
  }

  /** All that are to come, run, or have ended; not those that cannot be begun any more. */
  get expected(): number {
    return this.#pending.size + this.#done + this.#failed;
  }

  follow(events: EventEmitter<SchedulerEvents>): void {
    events.on('buildExpected', ({ drvPath }) => this.#pending.add(drvPath));
    events.on('buildStarted', ({ drvPath, name, machine }) => {
      this.#pending.add(drvPath);
      const startedAt = this.#now();
      this.running.set(drvPath, { drvPath, name, machine, startedAt, phase: undefined, lastLine: undefined });
    });
    events.on('buildPhase', ({ drvPath, phase }) => this.#update(drvPath, { phase }));
    events.on('buildLog', ({ drvPath, lines }) => this.#update(drvPath, { lastLine: lines.at(-1) }));
    events.on('buildFinished', ({ drvPath }) => {
      this.#end(drvPath);
      this.#done++;
    });
    events.on('buildFailed', ({ drvPath, error }) => {
      this.#end(drvPath);
      if (error === undefined) return;
      if (isDependencyFailure(error)) this.#notBegun++;
      else this.#failed++;
    });
  }

  #update(drvPath: StorePath, news: Partial<RunningBuild>): void {
    const build = this.running.get(drvPath);
    if (build !== undefined) this.running.set(drvPath, { ...build, ...news });
  }

  #end(drvPath: StorePath): void {
    this.running.delete(drvPath);
    this.#pending.delete(drvPath);
  }
}

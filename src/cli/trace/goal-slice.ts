/**
 * One goal as it is drawn: a slice `goal`, in it one with the name of the package, and in that, one after the other,
 * what the goal is at. Phases bear the same names for every goal, so that viewers can add them up.
 */
import type { AsyncEvent, TraceArguments, TraceSink } from './trace-event.ts';

/** What a goal does or waits for; between two of them it is at something short. */
export type Phase = 'query' | 'queue' | 'lock' | 'transfer' | 'build' | 'register';

export interface GoalSliceOptions {
  /** Of the goals of one trace, this one's. */
  readonly id: number;
  readonly pid: number;
  readonly tid: number;
  /** Name of the package. */
  readonly name: string;
  readonly args: TraceArguments;
  readonly put: TraceSink;
}

/** Times are microseconds from the start of the trace. One that lies before what was drawn last is moved there. */
export class GoalSlice {
  readonly id: string;
  readonly #options: GoalSliceOptions;
  #drawn: number;
  #phase: Phase | undefined;

  constructor(options: GoalSliceOptions, now: number) {
    this.#options = options;
    this.id = `0x${options.id.toString(16)}`;
    this.#drawn = now;
    this.#put('b', 'goal', now);
    this.#put('b', options.name, now, options.args);
  }

  /** What the goal is at now. */
  get phase(): Phase | undefined {
    return this.#phase;
  }

  begin(phase: Phase, now: number, args?: TraceArguments): void {
    this.endPhase(now);
    this.#phase = phase;
    // An arrow leads from here to what the worker thread or the builder does.
    const arrow = phase === 'transfer' || phase === 'build' ? { bind_id: this.id, flow_out: true } : {};
    this.#put('b', phase, now, args, arrow);
  }

  /** Ends what the goal is at, if anything. */
  endPhase(now: number, args?: TraceArguments): void {
    if (this.#phase !== undefined) this.#put('e', this.#phase, now, args);
    this.#phase = undefined;
  }

  /** Marks a moment. */
  mark(name: string, now: number, args: TraceArguments): void {
    this.#put('n', name, now, args);
  }

  end(now: number, args?: TraceArguments): void {
    this.endPhase(now);
    this.#put('e', this.#options.name, now, args);
    this.#put('e', 'goal', now);
  }

  #put(ph: AsyncEvent['ph'], name: string, now: number, args?: TraceArguments, arrow: Partial<AsyncEvent> = {}): void {
    const { pid, tid, put } = this.#options;
    this.#drawn = Math.max(this.#drawn, now);
    put({ ph, name, cat: 'goal', pid, tid, id2: { local: this.id }, ts: this.#drawn, args, ...arrow });
  }
}

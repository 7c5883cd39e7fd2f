/** Lanes of a trace under one heading, with slices that overlap on lanes of their own. */
import { Lanes } from './lanes.ts';
import type { CompleteEvent, TraceArguments, TraceSink } from './trace-event.ts';

export interface LaneGroupOptions {
  readonly pid: number;
  /** What each lane holds: its name in front of its number. */
  readonly lane: string;
  readonly heading: string;
  readonly put: TraceSink;
  /** Makes a number for a lane that no other lane has. */
  readonly newTid: () => number;
}

export interface Slice {
  readonly name: string;
  /** Microseconds from the start of the trace. */
  readonly start: number;
  readonly end: number;
  readonly args?: TraceArguments | undefined;
  /** The id of an arrow that leads here. */
  readonly from?: string | undefined;
  /** Slices that lie within this one, and apart from each other. */
  readonly parts?: readonly Slice[];
}

export class LaneGroup {
  readonly #options: LaneGroupOptions;
  readonly #lanes = new Lanes();
  /** The `tid` of each lane. */
  readonly #tids: number[] = [];

  constructor(options: LaneGroupOptions) {
    this.#options = options;
    const { pid, heading, put } = options;
    put({ ph: 'M', name: 'process_name', pid, tid: pid, args: { name: heading } });
    put({ ph: 'M', name: 'process_sort_index', pid, tid: pid, args: { sort_index: pid } });
  }

  /** Puts a slice, and its parts below it, on a lane that is free. */
  add(slice: Slice): void {
    const lane = this.#lanes.place(slice.start, slice.end);
    if (lane === this.#tids.length) this.#tids.push(this.#newLane(lane));
    this.#put(slice, this.#tids[lane]!);
  }

  #newLane(lane: number): number {
    const { pid, put, newTid } = this.#options;
    const tid = newTid();
    put({ ph: 'M', name: 'thread_name', pid, tid, args: { name: `${this.#options.lane} ${lane + 1}` } });
    put({ ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: lane } });
    return tid;
  }

  #put({ name, start, end, args, from, parts = [] }: Slice, tid: number): void {
    const { pid, put, lane: cat } = this.#options;
    const event: CompleteEvent = { ph: 'X', name, cat, pid, tid, ts: start, dur: end - start, args };
    put(from === undefined ? event : { ...event, bind_id: from, flow_in: true });
    for (const part of parts) this.#put(part, tid);
  }
}

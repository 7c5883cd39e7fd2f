/**
 * The events of a trace that Perfetto and chrome://tracing read, as far as they are written here.
 *
 * Source: the Trace Event Format of the Chromium project; what Perfetto makes of it, in
 * src/trace_processor/importers/json.
 */

/** Anything that JSON can say; shown where an event is clicked at. */
export type TraceArguments = Readonly<Record<string, string | number | boolean | undefined>>;

interface Placed {
  readonly name: string;
  /** A group of lanes that folds up. */
  readonly pid: number;
  /** A lane; the same number never comes twice, whatever the `pid`. */
  readonly tid: number;
  readonly args?: TraceArguments | undefined;
}

interface Timed extends Placed {
  /** Whole microseconds from the start of the trace. */
  readonly ts: number;
}

/** Ties an event to another, which an arrow leads to. */
interface Bound {
  readonly cat: string;
  readonly bind_id?: string;
  readonly flow_out?: boolean;
  readonly flow_in?: boolean;
}

/** A slice on a lane. Slices of one lane lie apart, or one in the other. */
export interface CompleteEvent extends Timed, Bound {
  readonly ph: 'X';
  /** Whole microseconds. */
  readonly dur: number;
}

/**
 * Begin, end, or a moment of something that overlaps others. Events with the same `cat` and `id2` nest in each other;
 * those whose outermost slices have the same name are shown together.
 */
export interface AsyncEvent extends Timed, Bound {
  readonly ph: 'b' | 'e' | 'n';
  /** Of this process alone. */
  readonly id2: { readonly local: string };
}

/** Values from this moment on, by what they are called. */
export interface CounterEvent extends Timed {
  readonly ph: 'C';
}

/** What a `pid` or a `tid` is called, and in which order they are shown. */
export interface MetadataEvent extends Placed {
  readonly ph: 'M';
  readonly name: 'process_name' | 'process_sort_index' | 'thread_name' | 'thread_sort_index';
}

export type TraceEvent = CompleteEvent | AsyncEvent | CounterEvent | MetadataEvent;

/** Where events go. */
export type TraceSink = (event: TraceEvent) => void;

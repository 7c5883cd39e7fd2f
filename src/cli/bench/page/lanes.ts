/** What happened when, made ready to be drawn: side by side where it overlaps, and added up where it is too much. */
import { durationOf, type Span, spanOfTransfer, type TransferRecord } from '../records.ts';
import { type ByPhase, PHASES } from '../report.ts';

/** The transfers of one worker thread. */
export interface ThreadLane {
  /** From 1: threads have numbers that say nothing. */
  readonly number: number;
  readonly transfers: readonly TransferRecord[];
}

/** One lane a thread that has done something. */
export function threadLanes(transfers: readonly TransferRecord[]): ThreadLane[] {
  const byThread = Map.groupBy(transfers, ({ timings }) => timings.thread);
  return [...byThread].toSorted(([a], [b]) => a - b).map(([, lane], index) => ({ number: index + 1, transfers: lane }));
}

/** Sorted by how long they took. */
export function longestFirst(transfers: readonly TransferRecord[]): TransferRecord[] {
  const length = (transfer: TransferRecord): number => durationOf(spanOfTransfer(transfer));
  return transfers.toSorted((a, b) => length(b) - length(a));
}

export interface Packed<T> {
  readonly item: T;
  readonly row: number;
}

/** Gives each item the first row in which nothing else is at its time. */
export function packRows<T>(items: readonly T[], span: (item: T) => Span): { items: Packed<T>[]; rows: number } {
  const ends: number[] = [];
  const packed = items
    .map((item) => ({ item, ...span(item) }))
    .toSorted((a, b) => a.started - b.started)
    .map(({ item, started, ended }) => {
      const free = ends.findIndex((end) => end <= started);
      const row = free < 0 ? ends.length : free;
      ends[row] = ended;
      return { item, row };
    });
  return { items: packed, rows: ends.length };
}

/** How many of the spans were going on, on average, in each of `count` equal parts of `whole`. */
export function averageInFlight(spans: readonly Span[], whole: Span, count: number): number[] {
  const bins = new Array<number>(count).fill(0);
  for (const span of spans) spread(bins, whole, span, durationOf(span));
  return bins;
}

/**
 * What share of its time a thread spent with each phase, in each of `count` equal parts of `whole`. What a transfer
 * spent is taken to be spread evenly over its time after the first byte.
 */
export function loadOf(transfers: readonly TransferRecord[], whole: Span, count: number): ByPhase[] {
  const [decode, hash, write] = PHASES.map((phase) => {
    const bins = new Array<number>(count).fill(0);
    for (const transfer of transfers) {
      const { started, wait } = transfer.timings;
      spread(bins, whole, { ...spanOfTransfer(transfer), started: started + wait }, transfer.timings[phase]);
    }
    return bins;
  }) as [number[], number[], number[]];
  return decode.map((_, bin) => {
    const load = { decode: decode[bin]!, hash: hash[bin]!, write: write[bin]! };
    const busy = load.decode + load.hash + load.write;
    if (busy <= 1) return load;
    return { decode: load.decode / busy, hash: load.hash / busy, write: load.write / busy };
  });
}

/** Adds `amount` milliseconds evenly over a span to the bins it covers, as shares of a bin's length. */
function spread(bins: number[], whole: Span, span: Span, amount: number): void {
  const size = durationOf(whole) / bins.length;
  const [from, to] = [(span.started - whole.started) / size, (span.ended - whole.started) / size];
  const length = Math.max(to - from, 1e-9);
  for (let bin = Math.max(0, Math.floor(from)); bin < Math.min(bins.length, to); bin++) {
    const covered = Math.min(bin + 1, to) - Math.max(bin, from);
    bins[bin]! += (amount * Math.max(0, covered)) / length / size;
  }
}

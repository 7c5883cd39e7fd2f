/** One transfer as a slice with parts: what its worker thread did, and what that waited for. */
import type { Timings } from '../../pool/messages.ts';
import type { Slice } from './lane-group.ts';

/** What a slice is made of, and the bounds that it must keep. All in microseconds from the start of the trace. */
export interface TransferTimes {
  readonly timings: Timings;
  /** When the worker took the job up. Its clock may differ from the main thread's by a little. */
  readonly taken: number;
  /** When the main thread handed the job over, and when it had the reply. */
  readonly from: number;
  readonly to: number;
}

/**
 * The parts of a transfer: `wait` until the first byte, then `work`, and in it what the thread was busy with.
 *
 * Decoding, hashing and writing take turns, chunk by chunk. They are drawn one after the other with the sums of their
 * times, from the start of the work; what is left of it the thread waited for bytes or did other jobs.
 */
export function transferSlice(name: string, { timings, taken, from, to }: TransferTimes): Slice {
  const start = clamp(taken, from, to);
  const end = clamp(start + microseconds(timings.wait + timings.unpack), start, to);
  const firstByte = clamp(start + microseconds(timings.wait), start, end);
  const work = { name: 'work', start: firstByte, end, parts: busyParts(timings, firstByte, end) };
  const parts = [{ name: 'wait', start, end: firstByte }, work];
  return { name, start, end, parts: parts.filter(isLong) };
}

function busyParts(timings: Timings, start: number, end: number): Slice[] {
  let at = start;
  const parts = (['decode', 'hash', 'write'] as const).map((name) => {
    const part = { name, start: at, end: clamp(at + microseconds(timings[name]), at, end) };
    at = part.end;
    return part;
  });
  return parts.filter(isLong);
}

/** What takes no time would only hide what comes next. */
function isLong({ start, end }: Slice): boolean {
  return end > start;
}

function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

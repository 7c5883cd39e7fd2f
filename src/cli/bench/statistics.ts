/** Numbers that stand for many numbers. */
import type { Span } from './records.ts';

/** Durations in milliseconds; the nearest rank, so that each is one that was measured. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Undefined where nothing was measured. */
export function percentilesOf(values: readonly number[]): Percentiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = sortedNumbers(values);
  return {
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** In ascending order. */
export function sortedNumbers(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}

/**
 * The smallest value that at least `share` of all values do not exceed (nearest rank).
 *
 * @param sorted - ascending, at least one.
 * @param share - from 0 to 1.
 */
export function quantile(sorted: readonly number[], share: number): number {
  // Without the small step back 0.9 × 10 values, which is 9.000000000000002 for some numbers, would be the tenth.
  const rank = Math.ceil(share * sorted.length - 1e-9);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1]!;
}

/** A point of a distribution: so large a `share` of all values is not greater than `value`. */
export interface SharePoint {
  readonly value: number;
  readonly share: number;
}

/**
 * The cumulative distribution, as at most `limit` of its points, the smallest and the greatest value among them.
 *
 * @param sorted - ascending, at least one.
 */
export function distributionOf(sorted: readonly number[], limit: number): SharePoint[] {
  const count = Math.min(sorted.length, limit);
  return Array.from({ length: count }, (_, index) => {
    const place = count === 1 ? 0 : Math.round((index * (sorted.length - 1)) / (count - 1));
    return { value: sorted[place]!, share: (place + 1) / sorted.length };
  });
}

export function sumOf<T>(items: Iterable<T>, value: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += value(item);
  return sum;
}

/** `amount` a second; undefined where no time has passed. */
export function perSecond(amount: number, milliseconds: number): number | undefined {
  return milliseconds > 0 ? (amount * 1000) / milliseconds : undefined;
}

/** How many of the spans overlapped, at most. */
export function mostAtOnce(spans: readonly Span[]): number {
  const ends = spans.map(({ ended }) => ended).sort((a, b) => a - b);
  const starts = spans.map(({ started }) => started).sort((a, b) => a - b);
  let over = 0;
  return starts.reduce((most, start, index) => {
    while (over < ends.length && ends[over]! <= start) over++;
    return Math.max(most, index + 1 - over);
  }, 0);
}

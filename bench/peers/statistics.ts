/** What many runs come to. */

/** @param values - at least one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest and the largest of at least one value. */
export interface Spread {
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Of each pair, how many times as long the first took as the second. Both ran within moments of each other, so what
 * slows the machine down for a while slows both.
 */
export function ratiosOf(first: readonly { seconds: number }[], second: readonly { seconds: number }[]): number[] {
  return first.slice(0, second.length).map(({ seconds }, pair) => seconds / second[pair]!.seconds);
}

/**
 * Who runs first in a pair: A B, B A, A B, … so that nobody always finds the machine as the other has left it.
 *
 * @param pair - from 0.
 */
export function orderOf<T>(pair: number, [a, b]: readonly [T, T]): readonly [T, T] {
  return pair % 2 === 0 ? [a, b] : [b, a];
}

/**
 * Deals items out to at most `count` groups so that all weigh about the same: the heaviest first, each to the group
 * that is lightest. No group is empty.
 */
export function dealOut<T>(items: readonly T[], count: number, weight: (item: T) => number): T[][] {
  const groups = Array.from({ length: Math.min(count, items.length) }, () => ({ items: [] as T[], weight: 0 }));
  for (const item of items.toSorted((a, b) => weight(b) - weight(a))) {
    const lightest = groups.reduce((least, group) => (group.weight < least.weight ? group : least));
    lightest.items.push(item);
    lightest.weight += Math.max(1, weight(item)); // so that many empty ones are dealt out, too
  }
  return groups.map((group) => group.items);
}

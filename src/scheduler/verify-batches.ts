/**
 * Jobs out of paths of very different sizes: large ones first, small ones many together. A thread hashes two paths at
 * once, so that a job consists of two halves of about equal size as far as that is possible.
 */
import type { Row } from './verify-rows.ts';

/** What a job reads at least, in bytes of NAR, where there is enough. */
const ENOUGH = 4 * 1024 * 1024;
/** Opening files takes time, too. */
const MOST = 128;
/** Halves differ by less than this part of the job. */
const UNEVEN = 1 / 8;

/**
 * @param threads - how many there are to do the jobs; none of them gets much more than its share in one job.
 * @returns every row once, largest first.
 */
export function makeBatches(rows: readonly Row[], threads: number): Row[][] {
  const share = rows.reduce((sum, { narSize }) => sum + narSize, 0) / threads;
  const batches: Row[][] = [];
  let batch: Row[] = [];
  let halves: [larger: number, smaller: number] = [0, 0];
  for (const row of rows.toSorted((a, b) => b.narSize - a.narSize)) {
    batch.push(row);
    const [a, b] = [halves[0], halves[1] + row.narSize];
    halves = a > b ? [a, b] : [b, a];
    const bytes = a + b;
    const isEven = halves[0] - halves[1] <= bytes * UNEVEN;
    const isShare = bytes > 0 && bytes >= share; // sizes may be unknown
    if (batch.length < MOST && !isShare && (bytes < ENOUGH || !isEven)) continue;
    batches.push(batch);
    [batch, halves] = [[], [0, 0]];
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

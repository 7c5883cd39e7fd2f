/** Jobs of about equal size out of paths of very different ones: large ones first and alone, small ones many together. */
import type { Row } from './verify-rows.ts';

/** What a job reads at least, in bytes of NAR, where there is enough. */
const ENOUGH = 4 * 1024 * 1024;
/** Opening files takes time, too. */
const MOST = 128;

/** @returns every row once, largest first. */
export function makeBatches(rows: readonly Row[]): Row[][] {
  const batches: Row[][] = [];
  let batch: Row[] = [];
  let bytes = 0;
  for (const row of rows.toSorted((a, b) => b.narSize - a.narSize)) {
    batch.push(row);
    bytes += row.narSize;
    if (bytes < ENOUGH && batch.length < MOST) continue;
    batches.push(batch);
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

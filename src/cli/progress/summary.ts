/** What a run came to, in few lines: the sum, and each cache where there is more to say than that. */
import { type CacheTallies, type CacheTally, failuresOf } from './cache-tallies.ts';
import type { Tally } from './tally.ts';
import { countPaths, formatBytes, formatDuration, formatRate } from './units.ts';

/** Of lines that are broken here and not by the terminal. */
const WIDTH = 79;
/** A longer URI does not move the columns of the others. */
const MAX_URI_WIDTH = 44;

/** Undefined where nothing was built or copied, and nothing went wrong but what is told as the end of a path. */
export function summaryOf(tally: Tally, now: number): string | undefined {
  const caches = describeCaches(tally.caches, tally.registered);
  const copied = tally.registered > 0 ? [describeSum(tally, now)] : caches.length > 0 ? ['copied nothing'] : [];
  const lines = [...describeBuilds(tally, now), ...copied, ...caches];
  return lines.length === 0 ? undefined : lines.join('\n');
}

function describeBuilds({ builds: { done, failed, notBegun }, startedAt }: Tally, now: number): string[] {
  if (done + failed + notBegun === 0) return [];
  const failures = `${failed === 0 ? '' : `, ${failed} failed`}${notBegun === 0 ? '' : `, ${notBegun} not begun`}`;
  return [
    `built ${done === 1 ? '1 derivation' : `${done} derivations`}${failures}, in ${formatDuration(now - startedAt)}`,
  ];
}

function describeSum(tally: Tally, now: number): string {
  const milliseconds = Math.max(1, now - tally.startedAt);
  const { narBytes, downloadedBytes, uploadedBytes } = tally;
  // What was only uploaded came from a disk.
  const wire = [
    ...(downloadedBytes === narBytes || (downloadedBytes === 0 && uploadedBytes > 0)
      ? []
      : [`${formatBytes(downloadedBytes)} downloaded`]),
    ...(uploadedBytes === 0 ? [] : [`${formatBytes(uploadedBytes)} uploaded`]),
  ];
  const sizes = wire.length === 0 ? '' : ` (${wire.join(', ')})`;
  const pathRate = (tally.registered * 1000) / milliseconds;
  const rates = `${pathRate < 9.95 ? pathRate.toFixed(1) : Math.round(pathRate)} paths/s, ${formatRate((narBytes * 1000) / milliseconds)}`;
  return `copied ${countPaths(tally.registered)}, ${formatBytes(narBytes)}${sizes}, in ${formatDuration(milliseconds)}: ${rates}`;
}

/** A line for each cache where several delivered, or one was in trouble; below it what that was. */
function describeCaches(caches: CacheTallies, registered: number): string[] {
  const all = [...caches.byUri].sort(([, a], [, b]) => b.paths - a.paths);
  const delivered = all.filter(([, { paths }]) => paths > 0);
  // Where nothing came at all, a single failure is how that path ended, and is told so.
  const isTrouble = (cache: CacheTally): boolean =>
    cache.isUnused || cache.timesAside > 0 || failuresOf(cache) > 1 || (registered > 0 && hasStumbled(cache));
  if (delivered.length < 2 && !all.some(([, cache]) => isTrouble(cache))) return [];
  const uriWidth = Math.min(MAX_URI_WIDTH, Math.max(...all.map(([uri]) => uri.length)));
  const counts = all.map(([, { paths }]) => countPaths(paths));
  const countWidth = Math.max(...counts.map((count) => count.length));
  return all.flatMap(([uri, cache], index) => {
    const bytes = cache.downloadedBytes === 0 ? '' : `, ${formatBytes(cache.downloadedBytes)} downloaded`;
    const line = `  ${uri.padEnd(uriWidth)}  ${counts[index]!.padStart(countWidth)}${bytes}`;
    return [line, ...wrap(describeTrouble(cache, caches.asideFor(cache)), '    ')];
  });
}

function hasStumbled(cache: CacheTally): boolean {
  return cache.retries > 0 || failuresOf(cache) > 0;
}

/** Parts of a sentence, none where all went well. */
function describeTrouble(cache: CacheTally, millisecondsAside: number): string[] {
  const { failures, retries, timesAside } = cache;
  const sum = failuresOf(cache);
  const kinds = [...failures]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => (count === sum ? kind : `${count} × ${kind}`));
  return [
    ...(sum === 0 ? [] : [`${sum === 1 ? '1 failure' : `${sum} failures`} (${kinds.join(', ')})`]),
    ...(retries === 0 ? [] : [retries === 1 ? '1 request repeated' : `${retries} requests repeated`]),
    ...(cache.isUnused ? ['not used'] : []),
    ...(timesAside === 0 ? [] : [describeAside(timesAside, formatDuration(millisecondsAside))]),
  ];
}

function describeAside(times: number, duration: string): string {
  return times === 1 ? `set aside for ${duration}` : `set aside ${times} times, for ${duration} in all`;
}

/** Lines of as many parts as fit, with commas between them. */
function wrap(parts: readonly string[], indentation: string): string[] {
  const wrapped: string[] = [];
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? indentation + part : `${line}, ${part}`;
    if (line === '' || longer.length < WIDTH) {
      line = longer;
      continue;
    }
    wrapped.push(`${line},`);
    line = indentation + part;
  }
  return line === '' ? wrapped : [...wrapped, line];
}

/** What was measured, in words: the lines above the table, and those beside the work. */
import { countPaths, formatBytes, formatDuration, formatRate } from '../progress/units.ts';
import { threeDigits, wholeNumber } from './numbers.ts';
import type { BenchReport, ClosureReport, StepReport } from './report.ts';

/** `51 paths, 52.7 MiB to download, 148 MiB of NAR`. */
export function describeClosure({ paths, downloadBytes, narBytes }: ClosureReport): string {
  return `${countPaths(paths)}, ${formatBytes(downloadBytes)} to download, ${formatBytes(narBytes)} of NAR`;
}

/** What is not measured, and why; a sentence each. */
export function describeOmissions({ leftOut, incompletePaths }: ClosureReport): string[] {
  const sentences: string[] = [];
  if (leftOut.paths > 0) {
    const size = `${formatBytes(leftOut.downloadBytes)} to download`;
    sentences.push(`Left out by --limit or --max-size: ${countPaths(leftOut.paths)}, ${size}.`);
  }
  if (incompletePaths > 0) {
    sentences.push(`Left out because the store lacks what they refer to: ${countPaths(incompletePaths)}.`);
  }
  return sentences;
}

/** How it was measured. */
export function describeMode({ to, steps }: BenchReport): string {
  const queries = wholeNumber(steps[0]?.narinfos.queries ?? 0);
  switch (to) {
    case 'store':
      return 'Every step asks for all narinfos, then makes all paths valid in a fresh throw-away store.';
    case 'nowhere':
      return 'Every step asks for all narinfos, then downloads, decompresses and hashes all paths; nothing is written.';
    case 'none':
      return `Every step asks for ${queries} narinfos that the store does not have; name a store path to see transfers.`;
  }
}

/** One line for a step that has ended. */
export function describeStep({ parallelism, narinfos, transfers }: StepReport): string {
  const latency = `${threeDigits(narinfos.latencyMilliseconds?.p50)} ms`;
  const queries = `${wholeNumber(narinfos.queries)} narinfos, half of them within ${latency}`;
  if (transfers === undefined) return `${wholeNumber(parallelism)} at once: ${queries}`;
  const { paths, milliseconds, downloadedBytesPerSecond, narBytesPerSecond } = transfers;
  const rates = `${formatRate(downloadedBytesPerSecond ?? 0)} downloaded, ${formatRate(narBytesPerSecond ?? 0)} of NAR`;
  return `${wholeNumber(parallelism)} at once: ${queries}; ${countPaths(paths)} in ${formatDuration(milliseconds)}, ${rates}`;
}

/** Which step was the best, and at what. */
export function describeBest({ parallelism, narinfos, transfers }: StepReport): string {
  if (transfers === undefined) {
    return `Best: ${wholeNumber(parallelism)} at once, ${threeDigits(narinfos.queriesPerSecond)} narinfos a second.`;
  }
  const { downloadedBytesPerSecond = 0, narBytesPerSecond = 0 } = transfers;
  const rates = `${formatRate(downloadedBytesPerSecond)} downloaded, ${formatRate(narBytesPerSecond)} of NAR`;
  return `Best: ${wholeNumber(parallelism)} at once, ${rates}.`;
}

/** The messages that every kind of display prints: what becomes of each path, in words. */
import type { EventEmitter } from 'eventemitter3';
import { printStorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents, TransferView } from '../../goals/events.ts';
import type { Level, Route } from './reporter.ts';
import type { Tally } from './tally.ts';
import { countPaths, formatBytes, formatDuration, formatRate } from './units.ts';

/** As Nix says it, but for the dots at the end. */
export function copyingPath({ path, substituter }: TransferView, { storeDir }: Route): string {
  return `copying path '${printStorePath(storeDir, path)}' from '${substituter}'`;
}

/** Says what goes wrong on the way, and in detail how every path fares. */
export function sayDetails(
  events: EventEmitter<SchedulerEvents>,
  { storeDir }: Route,
  say: (level: Level, text: string) => void,
): void {
  events.on('substituterFailed', ({ path, substituter, error, next }) => {
    // Without a next one the goal fails with this error, and it is told at the end.
    const level = next === undefined ? 'talkative' : 'warn';
    const instead = next === undefined ? '' : `; trying '${next}'`;
    say(
      level,
      `warning: cannot copy '${printStorePath(storeDir, path)}' from '${substituter}': ${error.message}${instead}`,
    );
  });
  events.on('transferFinished', ({ path, narSize, downloadedBytes, timings }) => {
    const { wait, unpack } = timings;
    const download = downloadedBytes === narSize ? '' : ` (${formatBytes(downloadedBytes)} downloaded)`;
    const times = `${formatDuration(unpack)}, after waiting ${formatDuration(wait)}`;
    say('talkative', `unpacked '${printStorePath(storeDir, path)}': ${formatBytes(narSize)}${download} in ${times}`);
  });
  events.on('pathsRegistered', ({ paths, milliseconds }) => {
    say('talkative', `registered ${countPaths(paths.length)} in ${formatDuration(milliseconds)}`);
  });
}

/** One line over everything, or undefined where nothing was copied. */
export function summaryOf(tally: Tally, now: number): string | undefined {
  if (tally.registered === 0) return undefined;
  const milliseconds = Math.max(1, now - tally.startedAt);
  const { narBytes, downloadedBytes } = tally;
  const download = downloadedBytes === narBytes ? '' : ` (${formatBytes(downloadedBytes)} downloaded)`;
  const pathRate = (tally.registered * 1000) / milliseconds;
  const rates = `${pathRate < 9.95 ? pathRate.toFixed(1) : Math.round(pathRate)} paths/s, ${formatRate((narBytes * 1000) / milliseconds)}`;
  return `copied ${countPaths(tally.registered)}, ${formatBytes(narBytes)}${download}, in ${formatDuration(milliseconds)}: ${rates}`;
}

/** The messages that every kind of display prints: what becomes of each path, in words. */
import type { EventEmitter } from 'eventemitter3';
import { printStorePath } from '../../formats/store-path.ts';
import type { LockView, SchedulerEvents, TransferView } from '../../goals/events.ts';
import { FirstFailures, failureKind } from './failure-kinds.ts';
import type { Level, Route } from './reporter.ts';
import { countPaths, formatBytes, formatDuration } from './units.ts';

/** As Nix says it, but for the dots at the end. */
export function copyingPath({ path, substituter }: TransferView, { storeDir }: Route): string {
  return `copying path '${printStorePath(storeDir, path)}' from '${substituter}'`;
}

/** As Nix says it ("waiting for lock on"), with who has it. */
export function waitingForLock({ path }: LockView, { storeDir }: Route): string {
  return `waiting for the lock of '${printStorePath(storeDir, path)}' (held by another process)`;
}

/** Of waits at the same time the first: somebody who makes a whole closure has many locks. */
export function sayLockWaits(
  events: EventEmitter<SchedulerEvents>,
  route: Route,
  say: (level: Level, text: string) => void,
): void {
  let waiting = 0;
  events.on('lockWaitStarted', (view) => say(waiting++ === 0 ? 'notice' : 'talkative', waitingForLock(view, route)));
  events.on('lockWaitEnded', () => void waiting--);
}

/** That a cache is not asked for a while, why, and what happens meanwhile. */
function whatFollows(milliseconds: number, reason: string, { sources = 1 }: Route): string {
  if (milliseconds === Number.POSITIVE_INFINITY) return `is not used: ${reason}`;
  if (sources === 1) return `keeps failing: ${reason}; there is no other, so it is tried again`;
  const others = sources === 2 ? 'the other cache serves' : 'the other caches serve';
  return `is set aside for ${formatDuration(milliseconds)}: ${reason}; ${others} meanwhile`;
}

/** Says what goes wrong on the way, each thing once, and in detail how every path fares. */
export function sayDetails(
  events: EventEmitter<SchedulerEvents>,
  route: Route,
  say: (level: Level, text: string) => void,
): void {
  const { storeDir } = route;
  const firstFailures = new FirstFailures();
  events.on('substituterFailed', ({ path, substituter, error, next }) => {
    // Without a next one the goal fails with this error, and it is told at the end.
    const isNews = next !== undefined && firstFailures.isFirst(substituter, error);
    const instead = next === undefined ? '' : `; trying '${next}'`;
    const namesBoth = error.message.includes(`${path}'`) && error.message.includes(`'${substituter}'`);
    const what = namesBoth ? '' : `cannot copy '${printStorePath(storeDir, path)}' from '${substituter}': `;
    say(isNews ? 'warn' : 'talkative', `warning: ${what}${error.message}${instead}`);
  });
  events.on('queryRetried', ({ substituter, error }) => {
    const isNews = firstFailures.isFirst(substituter, error);
    const who = error.message.includes(substituter) ? '' : `'${substituter}': `;
    say(isNews ? 'warn' : 'talkative', `warning: ${who}${error.message}; trying again`);
  });
  events.on('substituterSetAside', ({ substituter, error, milliseconds }) => {
    const isNews = firstFailures.isFirst(substituter, error) || milliseconds === Number.POSITIVE_INFINITY;
    const reason = isNews ? error.message : failureKind(error);
    say('warn', `warning: '${substituter}' ${whatFollows(milliseconds, reason, route)}`);
  });
  events.on('substituterBack', ({ substituter }) => say('info', `'${substituter}' answers again`));
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

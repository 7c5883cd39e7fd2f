/** The messages of builds, in the words of Nix: that one begins, what it prints, and that it failed. */
import type { EventEmitter } from 'eventemitter3';
import { isDependencyFailure } from '../../errors.ts';
import { printStorePath } from '../../formats/store-path.ts';
import type { BuildView, SchedulerEvents } from '../../goals/events.ts';
import { plainText } from '../plain-text.ts';
import type { Level, Route } from './reporter.ts';
import { formatDuration } from './units.ts';

/** As Nix says it, but for the dots at the end. */
export function buildingPath({ drvPath }: BuildView, machine: string | undefined, { storeDir }: Route): string {
  return `building '${printStorePath(storeDir, drvPath)}'${machine === undefined ? '' : ` on '${machine}'`}`;
}

/** Each warning once: what is wrong with the machine is found in every thread that builds. */
export function sayBuildWarnings(
  events: EventEmitter<SchedulerEvents>,
  say: (level: Level, text: string) => void,
): void {
  const told = new Set<string>();
  events.on('buildWarning', ({ message }) => {
    if (told.has(message)) return;
    told.add(message);
    say('warn', `warning: ${message}`);
  });
  events.on('machineSetAside', ({ machine, error, milliseconds }) => {
    const isForGood = milliseconds === Number.POSITIVE_INFINITY;
    const how = isForGood ? 'gets no builds' : `gets no builds for ${formatDuration(milliseconds)}`;
    say('warn', `warning: machine '${machine}' ${how}: ${error.message}`);
  });
}

export function sayBuilds(
  events: EventEmitter<SchedulerEvents>,
  route: Route,
  say: (level: Level, text: string) => void,
): void {
  const { storeDir, printBuildLogs = true } = route;
  events.on('buildStarted', ({ machine, ...view }) => say('info', `${buildingPath(view, machine, route)}...`));
  events.on('buildPhase', ({ name, phase }) => say('talkative', `${name}> phase ${plainText(phase)}`));
  // Who asks for the lines wants them beside a live display as well, which tells of little else.
  const level = route.printBuildLogs ? 'notice' : printBuildLogs ? 'info' : 'talkative';
  events.on('buildLog', ({ name, lines }) => say(level, lines.map((line) => `${name}> ${plainText(line)}`).join('\n')));
  sayBuildWarnings(events, say);
  // How it failed in detail is told at the end, which may be long from now.
  events.on('buildFailed', ({ drvPath, error }) => {
    if (error === undefined) return;
    const shown = printStorePath(storeDir, drvPath);
    if (isDependencyFailure(error)) say('talkative', `not begun: '${shown}'`);
    else say('warn', `failed: '${shown}'`);
  });
}

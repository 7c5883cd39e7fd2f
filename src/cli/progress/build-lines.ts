/** Running builds as lines of a progress display: `  hello-2.12  buildPhase  12 s  > what it printed last`. */
import { plainText } from '../plain-text.ts';
import type { RunningBuild } from './build-tally.ts';
import { formatSeconds } from './units.ts';

const MAX_NAME_WIDTH = 40;
/** @param now - on the clock of the builds' beginnings. Lines may be wider than the terminal. */
export function buildLines(builds: readonly RunningBuild[], now: number): string[] {
  const rows = builds.map(({ name, phase = '', machine, startedAt }) => [
    name.length > MAX_NAME_WIDTH ? `${name.slice(0, MAX_NAME_WIDTH - 1)}…` : name,
    machine === undefined ? phase : `${phase} on ${machine}`.trimStart(),
    formatSeconds(Math.floor((now - startedAt) / 1000)),
  ]);
  const widths = [0, 1, 2].map((cell) => Math.max(0, ...rows.map((row) => row[cell]!.length)));
  return rows.map(([name, where, time], index) => {
    const { lastLine } = builds[index]!;
    const cells = [name!.padEnd(widths[0]!), where!.padEnd(widths[1]!), time!.padStart(widths[2]!)];
    const said = lastLine === undefined ? '' : `  > ${plainText(lastLine)}`;
    return `  ${cells.filter((_, cell) => widths[cell]! > 0).join('  ')}${said}`;
  });
}

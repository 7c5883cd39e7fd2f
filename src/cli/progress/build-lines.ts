/** Running builds as lines of a progress display: `  hello-2.12  buildPhase  12 s  > what it printed last`. */
import { plainText } from '../plain-text.ts';
import type { RunningBuild } from './build-tally.ts';
import { columnsOf, truncate } from './columns.ts';
import { formatSeconds } from './units.ts';

const MAX_NAME_WIDTH = 40;
const MIN_NAME_WIDTH = 12;
/** Of the longest name of a phase in nixpkgs, with a time; so much is left of a narrow terminal. */
const REST_WIDTH = 26;
/** Builders may call a phase anything. */
const MAX_WHERE_WIDTH = 48;

export interface BuildLinesOptions {
  readonly columns: number;
  /** On the clock of the builds' beginnings. */
  readonly now: number;
}

/** Lines may be wider than the terminal; what matters most is at their beginning. */
export function buildLines(builds: readonly RunningBuild[], { columns, now }: BuildLinesOptions): string[] {
  const nameWidth = Math.max(MIN_NAME_WIDTH, Math.min(MAX_NAME_WIDTH, columns - REST_WIDTH));
  const rows = builds.map(({ name, phase = '', machine, startedAt }) => {
    const where = machine === undefined ? phase : `${phase} on ${machine}`;
    return [
      truncate(name, nameWidth),
      truncate(plainText(where).trim(), MAX_WHERE_WIDTH),
      formatSeconds(Math.floor((now - startedAt) / 1000)),
    ] as const;
  });
  const widths = [0, 1, 2].map((cell) => Math.max(0, ...rows.map((row) => columnsOf(row[cell]!))));
  return rows.map(([name, where, time], index) => {
    const { lastLine } = builds[index]!;
    const padding = ' '.repeat(widths[1]! - columnsOf(where));
    const cells = [name.padEnd(widths[0]!), where + padding, time.padStart(widths[2]!)];
    const said = lastLine === undefined ? '' : `  > ${plainText(lastLine)}`;
    return `  ${cells.filter((_, cell) => widths[cell]! > 0).join('  ')}${said}`;
  });
}

/** Two reports side by side, such as those of two commits. */
import { threeDigits } from '../../src/cli/bench/numbers.ts';
import { alignColumns } from './columns.ts';
import type { Measurement } from './measure.ts';
import type { PeersReport, RowReport } from './report.ts';
import { median, ratiosOf } from './statistics.ts';

const HEADINGS = ['row', 'of', 'before', 'after', 'change'];
const ALIGNMENTS = ['left', 'left', 'right', 'right', 'right'] as const;

/** A number of a row that can be compared: less is better, but for the ratio. */
interface Figure {
  readonly of: string;
  readonly value: number;
}

/** The rows that both have, a line a figure; ends with a newline. */
export function printComparison(before: PeersReport, after: PeersReport): string {
  const cells: string[][] = [];
  for (const row of after.rows) {
    const old = before.rows.find((each) => each.row === row.row);
    if (old === undefined) continue;
    const figures = figuresOf(old);
    for (const { of, value } of figuresOf(row)) {
      const was = figures.find((figure) => figure.of === of)?.value;
      if (was !== undefined) cells.push([row.row, of, threeDigits(was), threeDigits(value), changeOf(was, value)]);
    }
  }
  const lines = [
    `before: ${before.machine.sluice}, ${before.date}`,
    `after:  ${after.machine.sluice}, ${after.date}`,
    ...(isSameMachine(before, after) ? [] : ['They were measured on different machines: only ratios say something.']),
    '',
    ...(cells.length === 0 ? ['They have no row in common.'] : alignColumns([HEADINGS, ...cells], ALIGNMENTS)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function figuresOf(row: RowReport): Figure[] {
  if (row.kind === 'graph') {
    return Object.entries(row.seconds).map(([size, value]) => ({ of: `${size} graph, s`, value }));
  }
  const { sluice, nix } = row;
  const medianOf = (value: (run: Measurement) => number): number => median(sluice.map(value));
  return [
    ...(nix.length === 0 ? [] : [{ of: 'ratio', value: median(ratiosOf(nix, sluice)) }]),
    { of: 'time, s', value: medianOf(({ seconds }) => seconds) },
    { of: 'CPU, s', value: medianOf(({ cpuSeconds }) => cpuSeconds) },
    { of: 'peak, MB', value: Math.max(...sluice.map(({ peakBytes }) => peakBytes)) / 1e6 },
  ];
}

/** `+3 %`, `-12 %`. */
function changeOf(before: number, after: number): string {
  const percent = Math.round((after / before - 1) * 100);
  return `${percent > 0 ? '+' : ''}${percent} %`;
}

function isSameMachine({ machine: a }: PeersReport, { machine: b }: PeersReport): boolean {
  return a.processor === b.processor && a.cores === b.cores && a.system === b.system;
}

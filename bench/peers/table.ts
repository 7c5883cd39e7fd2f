/** A report as text. */
import { threeDigits } from '../../src/cli/bench/numbers.ts';
import { type Alignment, alignColumns } from './columns.ts';
import type { Measurement } from './measure.ts';
import {
  type Floor,
  type GraphReport,
  inMegabytes,
  judge,
  type Machine,
  type PeersReport,
  type TransferReport,
} from './report.ts';
import { MAX_PEAK_BYTES } from './rows.ts';
import { median, ratiosOf, spreadOf } from './statistics.ts';

interface Column {
  readonly title: string;
  readonly alignment: Alignment;
  cell(row: TransferReport): string;
}

const right = (title: string, cell: Column['cell']): Column => ({ title, alignment: 'right', cell });
const left = (title: string, cell: Column['cell']): Column => ({ title, alignment: 'left', cell });

const COLUMNS: readonly Column[] = [
  left('row', ({ row }) => row),
  right('ratio', ({ nix, sluice }) => (nix.length === 0 ? '–' : `${median(ratiosOf(nix, sluice)).toFixed(2)} ×`)),
  right('target', ({ target }) => `≥ ${target.toFixed(1)}`),
  left('', (row) => markOf(judge(row))),
  right('spread', ({ nix, sluice }) => (nix.length === 0 ? '–' : rangeOf(ratiosOf(nix, sluice)))),
  right('Sluice s', ({ sluice }) => secondsOf(sluice)),
  right('Nix s', ({ nix }) => secondsOf(nix)),
  right('CPU s', ({ sluice }) => medianOf(sluice, ({ cpuSeconds }) => cpuSeconds)),
  right('Nix', ({ nix }) => medianOf(nix, ({ cpuSeconds }) => cpuSeconds)),
  right('peak MB', ({ sluice }) => peakOf(sluice, 1e6)),
  right('MiB', ({ sluice }) => peakOf(sluice, 2 ** 20)),
  right('Nix MB', ({ nix }) => peakOf(nix, 1e6)),
  right('floor s', ({ floor }) => threeDigits(highestOf(floor).seconds)),
  left('of it', ({ floor }) => highestOf(floor).part),
  right('above it', ({ floor, sluice }) => {
    return `${(median(sluice.map(({ seconds }) => seconds)) / highestOf(floor).seconds).toFixed(1)} ×`;
  }),
];

/** Everything in a report; ends with a newline. */
export function printReport(report: PeersReport): string {
  const { rows, leftOut } = report;
  const transfers = rows.filter((row) => row.kind === 'transfer');
  const blocks = [
    describeRun(report),
    transfers.length === 0 ? [] : [...tableOf(transfers), '', ...LEGEND],
    rows.filter((row) => row.kind === 'graph').map(printGraph),
    missedLines(report),
    leftOut.map(({ row, reason }) => `left out: ${row}: ${reason}`),
  ];
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => `${line}\n`).join(''))
    .join('\n');
}

const LEGEND = [
  "ratio: Nix's time by Sluice's, the median of all pairs; spread: the smallest and the largest. Times are medians.",
  `peak: the most memory of all runs, at most ${inMegabytes(MAX_PEAK_BYTES)} are wanted. floor: the slowest part of the`,
  'work, done alone with all cores; above it: how many times as long Sluice takes.',
];

function tableOf(rows: readonly TransferReport[]): string[] {
  const cells = rows.map((row) => COLUMNS.map(({ cell }) => cell(row)));
  return alignColumns(
    [COLUMNS.map(({ title }) => title), ...cells],
    COLUMNS.map(({ alignment }) => alignment),
  );
}

/** With what, and on what, was measured. */
function describeRun({ machine, date, pairs }: PeersReport): string[] {
  const { sluice, nix, node, nginx } = machine;
  const programs = [sluice, node, nix ?? 'no Nix', nginx ?? 'no nginx'];
  return [programs.join('; '), `${describeMachine(machine)}; ${date}; ${pairs} pairs a row`];
}

function describeMachine({ processor, cores, memoryBytes, system }: Machine): string {
  return `${system}, ${cores} × ${processor}, ${Math.round(memoryBytes / 1e9)} GB`;
}

function printGraph(row: GraphReport): string {
  const parts = judge(row).map(({ what, is, wanted, met }) => `${what}: ${is} (${wanted}) ${met ? '✓' : '✗'}`);
  return `${row.row}: ${parts.join(', ')}`;
}

/** A line for each target that was missed, or one that says that none was. */
function missedLines({ rows }: PeersReport): string[] {
  const missed = rows.flatMap((row) => {
    const verdicts = judge(row).filter(({ met }) => !met);
    return verdicts.map(({ what, is, wanted }) => `missed: ${row.row}: ${what} is ${is}, wanted ${wanted}`);
  });
  if (missed.length > 0 || rows.length === 0) return missed;
  return [`All targets of ${rows.length === 1 ? '1 row' : `${rows.length} rows`} are met.`];
}

/** The part of the floor that takes longest. */
export function highestOf({ decode = 0, hash, write, wait }: Floor): { part: string; seconds: number } {
  const parts = Object.entries({ decode, hash, write, wait }).map(([part, seconds]) => ({ part, seconds }));
  return parts.reduce((highest, each) => (each.seconds > highest.seconds ? each : highest));
}

function markOf(verdicts: readonly { readonly met: boolean }[]): string {
  return verdicts.every(({ met }) => met) ? '✓' : '✗';
}

function rangeOf(values: readonly number[]): string {
  const { min, max } = spreadOf(values);
  return `${min.toFixed(2)}–${max.toFixed(2)}`;
}

function secondsOf(runs: readonly Measurement[]): string {
  return medianOf(runs, ({ seconds }) => seconds);
}

function medianOf(runs: readonly Measurement[], value: (run: Measurement) => number): string {
  return runs.length === 0 ? '–' : threeDigits(median(runs.map(value)));
}

function peakOf(runs: readonly Measurement[], unit: number): string {
  if (runs.length === 0) return '–';
  return String(Math.round(Math.max(...runs.map(({ peakBytes }) => peakBytes)) / unit));
}

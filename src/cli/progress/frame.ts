/** What a progress display shows at one moment, as lines that fit the terminal. */
import { pathName } from '../../formats/store-path.ts';
import { buildLines } from './build-lines.ts';
import { truncate } from './columns.ts';
import type { RunningTransfer, Tally } from './tally.ts';
import { countPaths, formatBytes, formatBytesOf, formatRate, formatSeconds } from './units.ts';

export interface FrameOptions {
  readonly columns: number;
  readonly rows: number;
  /** Bytes unpacked a second, lately. */
  readonly narRate: number;
  /** In milliseconds, on the clock of the tally. */
  readonly now: number;
}

/** More running builds and transfers than these are only counted. */
const MAX_RUNNING = 10;
/** Rows that are left to what was on the screen before. */
const ROWS_LEFT = 3;
const GAUGE_WIDTH = 16;

/** The running builds and transfers, longest-running first, and a line that sums up. No line is wider than the terminal. */
export function progressFrame(tally: Tally, options: FrameOptions): string[] {
  const room = Math.max(0, Math.min(MAX_RUNNING, options.rows - ROWS_LEFT));
  const [builds, transfers] = [[...tally.builds.running.values()], [...tally.running.values()]];
  const running = builds.length + transfers.length;
  const most = running > room ? Math.max(0, room - 1) : running;
  // Where not all fit, some of either are seen.
  const mostBuilds = Math.max(most - transfers.length, Math.ceil(most / 2));
  const shownBuilds = builds.slice(0, mostBuilds);
  const shownTransfers = transfers.slice(0, most - shownBuilds.length);
  const lines = [...buildLines(shownBuilds, options), ...transferLines(shownTransfers, options)];
  if (room > 0 && lines.length < running) lines.push(`  … and ${running - lines.length} more`);
  return [...lines, summaryLine(tally, options)].map((line) => fit(line, options.columns));
}

/** Cells of a table; those at the end are left out where the terminal is narrow. */
function transferLines(transfers: readonly RunningTransfer[], { columns }: FrameOptions): string[] {
  const rows = transfers.map((transfer) => [
    pathName(transfer.path),
    transfer.uploadedBytes
      ? `${formatBytes(transfer.uploadedBytes)} uploaded`
      : formatBytesOf(transfer.narBytes, transfer.narSize),
    transfer.rate === undefined ? '' : formatRate(transfer.rate),
    gauge(transfer.narBytes, transfer.narSize),
  ]);
  const widths = [0, 1, 2, 3].map((cell) => Math.max(0, ...rows.map((row) => row[cell]!.length)));
  const cells = [1, 2, 3].filter((cell) => {
    const upToHere = widths.slice(1, cell + 1).reduce((sum, width) => sum + width + 2, 0);
    return columns - upToHere >= MIN_NAME_WIDTH;
  });
  const nameWidth = Math.min(widths[0]!, columns - 3 - cells.reduce((sum, cell) => sum + widths[cell]! + 2, 0));
  return rows.map((row) => {
    const name = truncate(row[0]!, nameWidth).padEnd(nameWidth);
    return `  ${[name, ...cells.map((cell) => row[cell]!.padStart(widths[cell]!))].join('  ')}`;
  });
}

const MIN_NAME_WIDTH = 28;

function gauge(done: number, total: number): string {
  const filled = Math.round(GAUGE_WIDTH * fraction(done, total));
  return `[${'='.repeat(filled)}${' '.repeat(GAUGE_WIDTH - filled)}]`;
}

/** The most important first; parts at the end are left out where the terminal is narrow. */
function summaryLine(tally: Tally, options: FrameOptions): string {
  const { totals, undecided, builds } = tally;
  const lookingUp =
    totals.paths > 0 || builds.expected > 0 ? `looking up ${undecided} more` : `looking up ${countPaths(undecided)}`;
  const parts = [
    builds.expected > 0 ? `${builds.done}/${builds.expected} built` : '',
    builds.failed > 0 ? `${builds.failed} failed` : '',
    ...(totals.paths > 0 ? transferParts(tally, options) : []),
    undecided > 0 ? lookingUp : '',
  ].filter((part) => part !== '');
  if (parts.length === 0) return 'starting';
  let line = parts.shift()!;
  for (const part of parts) {
    if (line.length + part.length + 2 > options.columns - 1) break;
    line += `, ${part}`;
  }
  return line;
}

function transferParts(tally: Tally, options: FrameOptions): string[] {
  const { totals, unpacked } = tally;
  const narBytes = Math.min(tally.narBytes, totals.narBytes);
  // Without compression there is one size only, and a second one would say the same again.
  const isPlain = totals.downloadBytes === totals.narBytes;
  const isBuilding = tally.builds.done < tally.builds.expected;
  return [
    `${unpacked}/${totals.paths} paths`,
    `${formatBytesOf(narBytes, totals.narBytes)}${isPlain ? '' : ' unpacked'}`,
    options.narRate >= 1 ? formatRate(options.narRate) : '',
    unpacked < totals.paths ? timeLeft(tally, totals.narBytes - narBytes, options) : isBuilding ? '' : 'registering',
    isPlain ? '' : `${formatBytesOf(tally.downloadedBytes, totals.downloadBytes)} downloaded`,
    tally.uploadedBytes > 0 ? `${formatBytes(tally.uploadedBytes)} uploaded` : '',
  ];
}

/** As long as everything takes at the rate of all together, or the slowest at its own: whichever is longer. */
function timeLeft(tally: Tally, bytes: number, { narRate }: FrameOptions): string {
  const alone = [...tally.running.values()].map(({ narBytes, narSize, rate = 0 }) =>
    rate < 1 ? 0 : (narSize - narBytes) / rate,
  );
  const seconds = Math.max(narRate < 1 ? 0 : bytes / narRate, ...alone);
  return seconds === 0 ? '' : `${formatSeconds(Math.max(1, Math.ceil(seconds)))} left`;
}

/** How far it has come with what goes through paths and copies none: the check of a store, a benchmark. */
export interface CheckView {
  /** What is done to a path; checking it where it is missing. */
  readonly verb?: 'check' | 'measure' | 'optimise';
  readonly done: number;
  readonly expected: number;
  readonly narBytes: number;
}

const DONE = { check: 'checked', measure: 'measured', optimise: 'optimised' } as const;

/** The frame of a check: one line. */
export function checkFrame(
  { verb = 'check', done, expected, narBytes }: CheckView,
  { columns, narRate }: FrameOptions,
): string[] {
  const bytes = narBytes === 0 ? '' : `, ${formatBytes(narBytes)} read, ${formatRate(narRate)}`;
  return [fit(`${DONE[verb]} ${done}/${expected} paths${bytes}`, columns)];
}

/** One column stays free: some terminals wrap as soon as the last one is written. */
function fit(line: string, columns: number): string {
  return truncate(line, Math.max(1, columns - 1));
}

function fraction(done: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, done / total);
}

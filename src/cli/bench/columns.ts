/** The columns of the table that sums up a measurement, for the terminal and for the page. */
import { inMebibytes, threeDigits, wholeNumber } from './numbers.ts';
import type { StepReport } from './report.ts';

export interface Column {
  /** What it stands under, together with its neighbours; the unit, where it is the same for all. */
  readonly group: string;
  readonly title: string;
  cell(step: StepReport): string;
}

const QUERIES = 'narinfo latency, ms';
const RATES = 'transfers';
const WORK = 'MiB of NAR a thread-second';

const AT_ONCE: Column = { group: '', title: 'at once', cell: ({ parallelism }) => wholeNumber(parallelism) };

const QUERY_COLUMNS: readonly Column[] = [
  { group: QUERIES, title: 'p50', cell: ({ narinfos }) => threeDigits(narinfos.latencyMilliseconds?.p50) },
  { group: QUERIES, title: 'p90', cell: ({ narinfos }) => threeDigits(narinfos.latencyMilliseconds?.p90) },
  { group: QUERIES, title: 'p99', cell: ({ narinfos }) => threeDigits(narinfos.latencyMilliseconds?.p99) },
  { group: QUERIES, title: 'max', cell: ({ narinfos }) => threeDigits(narinfos.latencyMilliseconds?.max) },
  { group: 'narinfos', title: 'a second', cell: ({ narinfos }) => threeDigits(narinfos.queriesPerSecond) },
];

const TRANSFER_COLUMNS: readonly Column[] = [
  { group: RATES, title: 'reached', cell: ({ transfers }) => (transfers ? wholeNumber(transfers.mostAtOnce) : '–') },
  { group: RATES, title: 'paths/s', cell: ({ transfers }) => threeDigits(transfers?.pathsPerSecond) },
  { group: RATES, title: 'down MiB/s', cell: ({ transfers }) => inMebibytes(transfers?.downloadedBytesPerSecond) },
  { group: RATES, title: 'NAR MiB/s', cell: ({ transfers }) => inMebibytes(transfers?.narBytesPerSecond) },
  { group: WORK, title: 'decode', cell: ({ transfers }) => inMebibytes(transfers?.narBytesPerThreadSecond.decode) },
  { group: WORK, title: 'hash', cell: ({ transfers }) => inMebibytes(transfers?.narBytesPerThreadSecond.hash) },
  { group: WORK, title: 'write', cell: ({ transfers }) => inMebibytes(transfers?.narBytesPerThreadSecond.write) },
];

/** Those that `steps` have something for. */
export function columnsFor(steps: readonly StepReport[]): readonly Column[] {
  const hasTransfers = steps.some(({ transfers }) => transfers !== undefined);
  return [AT_ONCE, ...QUERY_COLUMNS, ...(hasTransfers ? TRANSFER_COLUMNS : [])];
}

/** Neighbours of one group, from left to right. */
export function groupsOf(columns: readonly Column[]): { readonly name: string; readonly columns: readonly Column[] }[] {
  const groups: { name: string; columns: Column[] }[] = [];
  for (const column of columns) {
    const last = groups.at(-1);
    if (last?.name === column.group) last.columns.push(column);
    else groups.push({ name: column.group, columns: [column] });
  }
  return groups;
}

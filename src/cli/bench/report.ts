/**
 * What a measurement comes to: the object that `sluice bench --json` prints, and that table and page are made from.
 * Every name of a number says its unit; where none is named it is a count. What was not measured is missing.
 */
import { durationOf, type QueryRun, type Step, spanOfTransfer, type TransferRun } from './records.ts';
import type { Amount } from './selection.ts';
import { mostAtOnce, type Percentiles, percentilesOf, perSecond, sumOf } from './statistics.ts';

export interface BenchReport {
  /** URI of the store, without credentials. */
  readonly store: string;
  /** When it began, as in ISO 8601. */
  readonly date: string;
  /**
   * `store`: paths were made valid in a throw-away store. `nowhere`: they were downloaded, decompressed and checked.
   * `none`: the store was asked for paths that it does not have, and nothing was transferred.
   */
  readonly to: 'store' | 'nowhere' | 'none';
  readonly machine: Machine;
  /** How the paths were found; missing where there are none. */
  readonly closure?: ClosureReport;
  /** In the order in which they were measured. */
  readonly steps: readonly StepReport[];
}

export interface Machine {
  readonly node: string;
  /** `linux x64`. */
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
}

/** The paths that every step asks for and transfers. */
export interface ClosureReport extends Amount {
  /** What `--limit` and `--max-size` left out. */
  readonly leftOut: Amount;
  /** Paths that were left out because something they refer to is not in the store. */
  readonly incompletePaths: number;
  /** Finding the whole closure, reference by reference. */
  readonly discovery: QueryReport;
}

export interface StepReport {
  /** How many queries, and then transfers, were under way at once, at most. */
  readonly parallelism: number;
  readonly narinfos: QueryReport;
  /** Missing where nothing was transferred. */
  readonly transfers?: TransferReport;
}

export interface QueryReport {
  readonly queries: number;
  /** How many of them the store had an answer to. */
  readonly found: number;
  readonly milliseconds: number;
  readonly queriesPerSecond?: number;
  /** From the question to the answer; a question that had to open its connection includes that. */
  readonly latencyMilliseconds?: Percentiles;
}

export interface TransferReport {
  readonly paths: number;
  readonly narBytes: number;
  readonly downloadedBytes: number;
  /** From when a thread took up the first path until all were there, and registered where they were written. */
  readonly milliseconds: number;
  readonly pathsPerSecond?: number;
  readonly downloadedBytesPerSecond?: number;
  readonly narBytesPerSecond?: number;
  /** How many were really under way at once: a scheduler opens no more slots than its threads can use. */
  readonly mostAtOnce: number;
  /** How many worker threads there could be. */
  readonly threads: number;
  /** Of one transfer, from its request to its first byte. */
  readonly waitMilliseconds?: Percentiles;
  /** What all threads together spent with each kind of work. */
  readonly threadMilliseconds: ByPhase;
  /** Bytes of NAR for a second that one thread spends with each kind of work. */
  readonly narBytesPerThreadSecond: Partial<ByPhase>;
  /** Transactions that made paths valid, and the time they took; none where nothing was written. */
  readonly commits: number;
  readonly commitMilliseconds: number;
}

/** What worker threads do with the bytes that come: decompress; hash; parse the NAR and write files. */
export const PHASES = ['decode', 'hash', 'write'] as const;
export type Phase = (typeof PHASES)[number];
export type ByPhase = Readonly<Record<Phase, number>>;

/** One line of JSON; numbers have three decimals at most. */
export function printJson(report: BenchReport): string {
  const round = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
  return `${JSON.stringify(report, round)}\n`;
}

export function reportStep({ parallelism, narinfos, transfers }: Step): StepReport {
  const queried = { parallelism, narinfos: reportQueries(narinfos) };
  return transfers === undefined ? queried : { ...queried, transfers: reportTransfers(transfers) };
}

export function reportQueries(run: QueryRun): QueryReport {
  const { queries } = run;
  const milliseconds = durationOf(run);
  return withoutMissing({
    queries: queries.length,
    found: queries.filter(({ found }) => found).length,
    milliseconds,
    queriesPerSecond: perSecond(queries.length, milliseconds),
    latencyMilliseconds: percentilesOf(queries.map(durationOf)),
  });
}

function reportTransfers(run: TransferRun): TransferReport {
  const { transfers, commits, threads } = run;
  const milliseconds = durationOf(run);
  const narBytes = sumOf(transfers, ({ narSize }) => narSize);
  const downloadedBytes = sumOf(transfers, (transfer) => transfer.downloadedBytes);
  const threadMilliseconds = byPhase((phase) => sumOf(transfers, ({ timings }) => timings[phase]));
  return withoutMissing({
    paths: transfers.length,
    narBytes,
    downloadedBytes,
    milliseconds,
    pathsPerSecond: perSecond(transfers.length, milliseconds),
    downloadedBytesPerSecond: perSecond(downloadedBytes, milliseconds),
    narBytesPerSecond: perSecond(narBytes, milliseconds),
    mostAtOnce: mostAtOnce(transfers.map(spanOfTransfer)),
    threads,
    waitMilliseconds: percentilesOf(transfers.map(({ timings }) => timings.wait)),
    threadMilliseconds,
    narBytesPerThreadSecond: withoutMissing(byPhase((phase) => perSecond(narBytes, threadMilliseconds[phase]))),
    commits: commits.length,
    commitMilliseconds: sumOf(commits, durationOf),
  });
}

/** The step with the highest rate: of NAR bytes, or of queries where nothing was transferred. */
export function bestStep<S extends StepReport>(steps: readonly S[]): S | undefined {
  const rate = ({ transfers, narinfos }: StepReport): number =>
    transfers?.narBytesPerSecond ?? narinfos.queriesPerSecond ?? 0;
  return steps.toSorted((a, b) => rate(b) - rate(a))[0];
}

function byPhase<T>(value: (phase: Phase) => T): Record<Phase, T> {
  return { decode: value('decode'), hash: value('hash'), write: value('write') };
}

/** The same without the keys that are undefined. */
type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function withoutMissing<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

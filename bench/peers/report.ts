/**
 * What a comparison comes to: the object that `--json FILE` writes and `--compare FILE` reads. Names of numbers say
 * their unit; where none is named it is a count.
 */
import type { Measurement } from './measure.ts';
import { GRAPH_SIZES, MAX_GRAPH_GROWTH, MAX_GRAPH_SECONDS, MAX_PEAK_BYTES } from './rows.ts';
import { median, ratiosOf } from './statistics.ts';

export interface PeersReport {
  /** When it began, as in ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  /** How many there are of each row. */
  readonly pairs: number;
  readonly rows: readonly RowReport[];
  readonly leftOut: readonly LeftOut[];
}

/** On what, and with what, it was measured: as the programs call themselves; undefined where there is none. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly sluice: string;
  readonly nix?: string | undefined;
  readonly nginx?: string | undefined;
}

/** A row that was not measured. */
export interface LeftOut {
  readonly row: string;
  readonly reason: string;
  /** That it was begun, and something went wrong. */
  readonly failed?: boolean;
}

export type RowReport = TransferReport | GraphReport;

export interface TransferReport {
  readonly kind: 'transfer';
  readonly row: string;
  readonly paths: number;
  readonly narBytes: number;
  readonly downloadBytes: number;
  /** How many times as long as Sluice Nix is to take, at least. */
  readonly target: number;
  /** In the order of the pairs. */
  readonly sluice: readonly Measurement[];
  /** The same pairs; none where there is no Nix. */
  readonly nix: readonly Measurement[];
  readonly floor: Floor;
}

/** What no program can do without, in seconds, each done alone with all cores; missing where a tool is. */
export interface Floor {
  /** Decompressing all NARs; 0 where they are not compressed. */
  readonly decode?: number | undefined;
  /** The sha256 of all NARs. */
  readonly hash: number;
  /** Writing all files. */
  readonly write: number;
  /** Waiting for a server that delays its answers: once for each step from the top to the path farthest away. */
  readonly wait: number;
}

export interface GraphReport {
  readonly kind: 'graph';
  readonly row: string;
  /** For as many goals as {@link GRAPH_SIZES} says. */
  readonly seconds: Readonly<Record<keyof typeof GRAPH_SIZES, number>>;
}

/** One thing that is wanted of a row. */
export interface Verdict {
  readonly what: string;
  /** What it is, and what it was to be, in words. */
  readonly is: string;
  readonly wanted: string;
  readonly met: boolean;
}

/** What is wanted of a row and could be judged. */
export function judge(row: RowReport): Verdict[] {
  return row.kind === 'graph' ? judgeGraph(row) : judgeTransfer(row);
}

function judgeTransfer({ sluice, nix, target }: TransferReport): Verdict[] {
  const verdicts: Verdict[] = [];
  if (nix.length > 0) {
    const ratio = median(ratiosOf(nix, sluice));
    verdicts.push({
      what: "Nix's time by Sluice's",
      is: `${ratio.toFixed(2)} ×`,
      wanted: `≥ ${target.toFixed(1)}`,
      met: ratio >= target,
    });
  }
  const peak = Math.max(...sluice.map(({ peakBytes }) => peakBytes));
  verdicts.push({
    what: 'peak memory',
    is: inMegabytes(peak),
    wanted: `≤ ${inMegabytes(MAX_PEAK_BYTES)}`,
    met: peak <= MAX_PEAK_BYTES,
  });
  return verdicts;
}

function judgeGraph({ seconds: { small, large } }: GraphReport): Verdict[] {
  const growth = large / small;
  return [
    {
      what: `${GRAPH_SIZES.large.toLocaleString('en-US')} goals`,
      is: `${large.toFixed(2)} s`,
      wanted: `≤ ${MAX_GRAPH_SECONDS} s`,
      met: large <= MAX_GRAPH_SECONDS,
    },
    {
      what: `by the time of ${GRAPH_SIZES.small.toLocaleString('en-US')}`,
      is: growth.toFixed(1),
      wanted: `≤ ${MAX_GRAPH_GROWTH}`,
      met: growth <= MAX_GRAPH_GROWTH,
    },
  ];
}

/** `238 MB (227 MiB)`. */
export function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB (${Math.round(bytes / 2 ** 20)} MiB)`;
}

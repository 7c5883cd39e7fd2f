/** What is measured, and what is wanted of it. A row's name says what it is: `deb-xz-20ms`, words between dashes. */

/** A closure from one cache into a fresh store, by Sluice and by Nix. */
export interface TransferRow {
  readonly kind: 'transfer';
  readonly name: string;
  /** The name of its recipe, see bench/corpus/recipes.ts. */
  readonly corpus: string;
  readonly compression: string;
  /** Milliseconds that the server waits before it answers. */
  readonly delay: number;
  /** How many times as long as Sluice Nix is to take, at least. */
  readonly target: number;
}

/** Goals without work, in a graph: Sluice alone. */
export interface GraphRow {
  readonly kind: 'graph';
  readonly name: string;
}

export type Row = TransferRow | GraphRow;

/** What the server waits in the rows that stand for a real network, in milliseconds. */
export const DELAY = 20;
/** Peak memory of Sluice in every transfer, in bytes: 250 MB, which is 238 MiB. */
export const MAX_PEAK_BYTES = 250e6;
/** Goals in the small graph and in the large one. */
export const GRAPH_SIZES = { small: 10_000, large: 100_000 } as const;
/** For the large graph. */
export const MAX_GRAPH_SECONDS = 2;
/** The time of the large graph, in times of the small one, which has a tenth of its goals. */
export const MAX_GRAPH_GROWTH = 11;

const transfer = (corpus: string, compression: string, delay: number, target: number): TransferRow => {
  const name = [corpus, compression, ...(delay > 0 ? [`${delay}ms`] : [])].join('-');
  return { kind: 'transfer', name, corpus, compression, delay, target };
};

/** In the order in which they are measured: what can be had soon comes first. */
export const ROWS: readonly Row[] = [
  { kind: 'graph', name: 'graph' },
  transfer('one', 'zstd', 0, 0.4),
  transfer('tiny', 'none', 0, 2),
  transfer('tiny', 'zstd', 0, 2),
  transfer('tiny', 'none', DELAY, 5),
  transfer('tiny', 'zstd', DELAY, 5),
  transfer('deb', 'none', 0, 1.1),
  transfer('deb', 'zstd', 0, 1.1),
  transfer('deb', 'xz', 0, 1.1),
  transfer('deb', 'none', DELAY, 1.5),
  transfer('deb', 'zstd', DELAY, 1.5),
  transfer('deb', 'xz', DELAY, 1.2),
  transfer('huge', 'zstd', 0, 1),
  transfer('huge', 'xz', 0, 1),
  transfer('large', 'none', 0, 1.2),
  transfer('large', 'zstd', 0, 1.2),
];

/** Corpora that are measured only on request, as they take gigabytes of downloads and memory. */
export const LARGE: ReadonlySet<string> = new Set(['large']);

export interface Selection {
  /** Each picks the rows that have all its words; none at all pick every row. */
  readonly words: readonly string[];
  /** Whether corpora of {@link LARGE} are wanted. */
  readonly large: boolean;
}

/** The rows that are wanted; a corpus of {@link LARGE} also where a word names it. */
export function selectRows({ words, large }: Selection): Row[] {
  const wanted = words.map((word) => word.split('-'));
  return ROWS.filter((row) => {
    const parts = row.name.split('-');
    const picking = wanted.filter((each) => each.every((part) => parts.includes(part)));
    const isLarge = row.kind === 'transfer' && LARGE.has(row.corpus);
    if (isLarge && !large) return picking.some((each) => each.includes(row.corpus));
    return words.length === 0 || picking.length > 0;
  });
}

/** Measures one row. */
import { join } from 'node:path';
import { formatDuration } from '../../src/cli/progress/units.ts';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import type { Nginx } from '../../test/support/nginx.ts';
import { type CorpusOnDisk, cacheName, readNarInfos } from '../corpus/layout.ts';
import { timeGraph } from '../graph.ts';
import type { Floors } from './corpus-floor.ts';
import { cacheUrl } from './nginx.ts';
import type { Floor, GraphReport, TransferReport } from './report.ts';
import { GRAPH_SIZES, type GraphRow, type TransferRow } from './rows.ts';
import { type Arena, runOnce, runPairs } from './run-pairs.ts';
import { median } from './statistics.ts';

/** Graphs of each size; the first one of all is not counted. */
const GRAPH_ROUNDS = 3;

export interface RowOptions {
  readonly arena: Arena;
  readonly nginx: Nginx;
  readonly corpus: CorpusOnDisk;
  readonly floors: Floors;
  readonly pairs: number;
  /** Called with a sentence, now and then. */
  readonly tell: (sentence: string) => void;
}

export async function measureTransferRow(row: TransferRow, options: RowOptions): Promise<TransferReport> {
  const { arena, nginx, corpus, floors, pairs, tell } = options;
  const infos = await readNarInfos(corpus, row.compression);
  const url = cacheUrl(nginx, `${corpus.name}/${cacheName(row.compression)}`, row.delay);
  const contest = { task: { top: corpus.top, url, publicKey: corpus.publicKey }, paths: corpus.paths.length };

  // Not counted: they fill the caches of the machine, and leave the files that the floor is measured with.
  if (arena.nix !== undefined) await runOnce(arena, arena.nix, contest);
  let floor: Floor | undefined;
  await runOnce(arena, arena.sluice, contest, async (root) => {
    const storeDirectory = join(root, DEFAULT_STORE_DIR);
    floor = await floors.measure({ row, corpus, infos, storeDirectory });
  });

  const runs = await runPairs(arena, contest, {
    pairs,
    onPair: (pair, sluice, nix) => {
      const times = [`Sluice ${formatDuration(sluice.seconds * 1000)}`];
      if (nix !== undefined) times.push(`Nix ${formatDuration(nix.seconds * 1000)}`);
      tell(`${row.name}, pair ${pair + 1} of ${pairs}: ${times.join(', ')}`);
    },
  });
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  return {
    kind: 'transfer',
    row: row.name,
    paths: corpus.paths.length,
    narBytes: sum(infos.map(({ narSize }) => narSize)),
    downloadBytes: sum(infos.map(({ fileSize, narSize }) => fileSize ?? narSize)),
    target: row.target,
    ...runs,
    floor: floor!,
  };
}

/** Goals without work, in this process. */
export async function measureGraphRow(row: GraphRow): Promise<GraphReport> {
  await timeGraph(GRAPH_SIZES.small);
  const secondsOf = async (count: number): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < GRAPH_ROUNDS; round++) times.push((await timeGraph(count)) / 1000);
    return median(times);
  };
  const small = await secondsOf(GRAPH_SIZES.small);
  return { kind: 'graph', row: row.name, seconds: { small, large: await secondsOf(GRAPH_SIZES.large) } };
}

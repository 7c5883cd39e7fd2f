/** Runs of two programs in turns, each into a fresh store that is looked at afterwards and removed. */
import { join } from 'node:path';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { type Client, countValidPaths, type Task } from './clients.ts';
import { type Measurement, measure } from './measure.ts';
import { orderOf } from './statistics.ts';

/** What is run, and where. */
export interface Arena {
  /** What there is; the second is missing on machines that have no Nix. */
  readonly sluice: Client;
  readonly nix: Client | undefined;
  /** A directory for stores and logs. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface Contest {
  readonly task: Task;
  /** How many paths must be valid after each run. */
  readonly paths: number;
}

export interface PairsOptions {
  readonly pairs: number;
  /** Called after every pair. */
  readonly onPair: (pair: number, sluice: Measurement, nix: Measurement | undefined) => void;
}

/** The runs of each, in the order of the pairs. */
export interface PairRuns {
  readonly sluice: readonly Measurement[];
  readonly nix: readonly Measurement[];
}

/** Runs both in turns, or Sluice alone. */
export async function runPairs(arena: Arena, contest: Contest, { pairs, onPair }: PairsOptions): Promise<PairRuns> {
  const runs = { sluice: [] as Measurement[], nix: [] as Measurement[] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const client of orderOf(pair, [arena.sluice, arena.nix])) {
      if (client !== undefined) runs[client.name].push(await runOnce(arena, client, contest));
    }
    onPair(pair, runs.sluice[pair]!, runs.nix[pair]);
  }
  return runs;
}

/**
 * Runs one program once.
 *
 * @param look - is given the root of its store, before that is removed.
 * @throws {Error} where it fails, or leaves another number of paths valid.
 */
export async function runOnce(
  { scratch, signal }: Arena,
  client: Client,
  { task, paths }: Contest,
  look?: (root: string) => Promise<void>,
): Promise<Measurement> {
  const root = join(scratch, 'root');
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeTree(root));
  const command = client.command(task, root);
  const log = join(scratch, `${client.name}.log`);
  const measurement = await measure(command, { env: await client.environment(), log, signal });
  const valid = await countValidPaths(root);
  if (valid !== paths) throw new Error(`${command.join(' ')} made ${valid} paths valid, and not ${paths}`);
  await look?.(root);
  return measurement;
}

/** The measurement: step by step, each with more at once, and each with nothing left from the one before. */
import { InvalidPathError } from '../../errors.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import type { Settings } from '../../settings.ts';
import { openStore } from '../../stores/open-store.ts';
import { clock, type Step } from './records.ts';
import { TimedQueries } from './timed-queries.ts';
import type { TransferProgress } from './transfer-recorder.ts';
import { type TransferOptions, transferInto, transferNowhere } from './transfers.ts';

export interface StepOptions {
  /** URI of the store that is measured. */
  readonly uri: string;
  /** What is asked for, and transferred. */
  readonly paths: readonly StorePath[];
  readonly parallelism: number;
  /** What becomes of the paths: they are written into a store below `directory`, are not written, or nobody has them. */
  readonly transfer: { readonly to: 'store'; readonly directory: string } | { readonly to: 'nowhere' | 'none' };
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly onQueries: (queries: number) => void;
  readonly onTransfers: (progress: TransferProgress) => void;
}

/**
 * Asks for every path, then transfers every path.
 *
 * @throws {SluiceError} where a path cannot be had; the reason of `signal`.
 */
export async function measureStep(options: StepOptions): Promise<Step> {
  const { uri, paths, parallelism, transfer, signal } = options;
  const settings = { ...options.settings, httpConnections: parallelism };
  await using source = await openStore(uri, settings);
  const queries = new TimedQueries(source, { parallelism, signal, onQuery: options.onQueries });
  await queries.warmUp();
  const started = clock();
  const infos = await Promise.all(paths.map((path) => queries.query(path)));
  const narinfos = { started, ended: clock(), queries: queries.records };
  if (transfer.to === 'none') return { parallelism, narinfos, transfers: undefined };

  const found = infos.map((info, index) => {
    if (info === undefined) throw new InvalidPathError(printStorePath(source.storeDir, paths[index]!), source.uri);
    return info;
  });
  const { onTransfers: onProgress } = options;
  const transferred: TransferOptions = { source, infos: found, parallelism, settings, signal, onProgress };
  const transfers =
    transfer.to === 'store' ? await transferInto(transfer.directory, transferred) : await transferNowhere(transferred);
  return { parallelism, narinfos, transfers };
}

/**
 * Logs of builds, which some stores keep by the derivation that was built.
 *
 * Source: Nix 2.35 libstore/log-store.hh, log-store.cc; libstore/store-api.cc, getBuildDerivationPath.
 */
import { SluiceError } from '../errors.ts';
import { pathName, type StorePath } from '../formats/store-path.ts';
import type { QueryOptions, Sink, Store } from './store.ts';

/** A store that may have logs. */
export interface LogStore extends Store {
  /**
   * Pours the log of a derivation into `sink`, as the builder printed it.
   *
   * @returns whether there is one.
   */
  pourBuildLog(drvPath: StorePath, sink: Sink, options?: QueryOptions): Promise<boolean>;
}

export function isLogStore(store: Store): store is LogStore {
  return 'pourBuildLog' in store;
}

/**
 * Pours the log of a derivation, or of the one that made a path, out of the first store that has it.
 *
 * @param path - a derivation, or what one made: that is asked of each store by itself.
 * @returns whether one has it.
 * @throws what a store threw, where no other has it, or part of the log had come.
 */
export async function findBuildLog(
  stores: Iterable<Store> | AsyncIterable<Store>,
  path: StorePath,
  sink: Sink,
  options: QueryOptions = {},
): Promise<boolean> {
  const errors: SluiceError[] = [];
  let hasBegun = false;
  const watched: Sink = (chunk) => {
    hasBegun = true;
    return sink(chunk);
  };
  for await (const store of stores) {
    try {
      if (isLogStore(store) && (await pourLog(store, path, watched, options))) return true;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (hasBegun || !(error instanceof SluiceError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0]!;
  return false;
}

async function pourLog(store: LogStore, path: StorePath, sink: Sink, options: QueryOptions): Promise<boolean> {
  const drvPath = pathName(path).endsWith('.drv') ? path : (await store.queryPathInfo(path, options))?.deriver;
  return drvPath !== undefined && (await store.pourBuildLog(drvPath, sink, options));
}

/**
 * Checks that what a local store calls valid is there, is what it was when it was registered, and is signed; and mends
 * it where that is asked for. Hashing is done in worker threads, and nothing is locked.
 */
import { StoreError } from '../errors.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import { openRegisteredPaths } from '../stores/verify/registered-paths.ts';
import { Verification } from './verification.ts';
import type { VerifyOptions, VerifyResult } from './verify-problems.ts';

export type { VerifyOptions, VerifyProblem, VerifyResult } from './verify-problems.ts';

/** @throws the reason of `signal`. What is wrong with a path is a problem in the result. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyResult> {
  const { store, settings } = options;
  await using resources = new AsyncDisposableStack();
  const pool = resources.use(new WorkerPool({ settings }));
  if (options.contents && options.paths === undefined) warm(pool);
  const { writable } = await store.open();
  if (options.repair !== undefined && !writable) throw new StoreError(`store '${store.uri}' is open for reading only`);
  if (writable) {
    const swept = store.removeStaleStaging(); // beside the rest
    resources.defer(() => swept);
  }
  const { stateDir } = store;
  const { fsyncMetadata } = settings;
  const database = resources.use(await openRegisteredPaths({ stateDir, readOnly: !writable, fsyncMetadata }));
  return await new Verification(options, database, pool).run();
}

/** Starts all threads while the store is opened and it is found out what there is to do. */
function warm(pool: WorkerPool): void {
  for (let thread = 0; thread < pool.threads; thread++) {
    pool.run('hashPaths', { realPaths: [] }).catch(() => {}); // what is wrong with a thread shows when it is needed
  }
}

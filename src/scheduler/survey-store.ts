/** What is alive in a store, and what is garbage: found out by worker threads and from the store's database. */
import type { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import { type GcDatabase, openGcDatabase } from '../stores/gc/gc-database.ts';
import { type FoundRoots, type Survey, takeSurvey } from '../stores/gc/survey.ts';
import { readTempRoots } from '../stores/gc/temp-root-files.ts';
import { loadLibc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';

export interface SurveyStoreOptions {
  readonly store: LocalStore;
  readonly settings: Settings;
  readonly pool: WorkerPool;
  /** Whether to count temporary roots only. */
  readonly ignoreLiveness?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
}

/**
 * Takes stock of a store. Nothing is locked: what others do meanwhile may be seen or not.
 *
 * @param resources - releases the database.
 * @throws {StoreError} where the store cannot be read; the reason of `signal`.
 */
export async function surveyStore(
  options: SurveyStoreOptions,
  resources: AsyncDisposableStack,
): Promise<{ readonly survey: Survey; readonly database: GcDatabase }> {
  const { store, settings, pool, ignoreLiveness = false, signal } = options;
  const { stateDir, storeDir, realStoreDir } = store;
  const { writable } = await store.open();
  const { fsyncMetadata } = settings;
  const database = resources.use(await openGcDatabase({ stateDir, storeDir, readOnly: !writable, fsyncMetadata }));
  const findRoots = async (): Promise<FoundRoots> => {
    const temporary = writable ? readTempRoots(loadLibc(), stateDir, storeDir) : { roots: [], messages: [] };
    const found = ignoreLiveness ? NONE : await pool.run('findRoots', { stateDir, storeDir }, { signal });
    for (const message of [...found.messages, ...temporary.messages]) options.onMessage?.(message);
    return { roots: [...found.permanent, ...found.runtime], tempRoots: temporary.roots };
  };
  const survey = await takeSurvey({
    storeDir,
    realStoreDir,
    database,
    findRoots,
    // As in Nix: who wants a path gone whatever keeps it does not mean its derivation or its outputs.
    keepOutputs: settings.keepOutputs && !ignoreLiveness,
    keepDerivations: settings.keepDerivations && !ignoreLiveness,
    signal,
  });
  return { survey, database };
}

const NONE = { permanent: [], runtime: [], messages: [] } as const;

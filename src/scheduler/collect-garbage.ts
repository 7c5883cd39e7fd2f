/**
 * Garbage collection: finds out what is alive, and deletes the rest, or some of it.
 *
 * In this order: rows first, in batches, what refers to others before them; once they are durable, the contents out of
 * the store directory in one step each; then they are deleted, in worker threads. Killed at any moment, this leaves at
 * most contents without a row, which the next collector deletes. It holds gc.lock all the while, but holds up nobody:
 * whoever adds temporary roots meanwhile tells it so over a socket, and waits no longer than one batch takes to leave.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::collectGarbage.
 */
import { join } from 'node:path';
import { type SluiceError, StoreError } from '../errors.ts';
import type { StorePath } from '../formats/store-path.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import { asStoreError, isNoRoom } from '../stores/fs-errors.ts';
import { acquireGcLock } from '../stores/gc/gc-lock.ts';
import { openRootServer, prepareRootSocket } from '../stores/gc/root-server.ts';
import type { Garbage, Refusal, Survey } from '../stores/gc/survey.ts';
import { loadLibc } from '../stores/libc.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { giveUpReserve } from '../stores/local-store-layout.ts';
import { Deletion } from './deletion.ts';
import { surveyStore } from './survey-store.ts';

export interface CollectOptions {
  readonly store: LocalStore;
  readonly settings: Settings;
  /** Threads to work in; by default a pool of its own. */
  readonly pool?: WorkerPool | undefined;
  /** Only these, where nothing keeps them but each other; by default all garbage. */
  readonly paths?: readonly StorePath[] | undefined;
  /** With `paths`: only temporary roots and what refers to a path keep it. */
  readonly ignoreLiveness?: boolean | undefined;
  /** Bytes after which it is enough; without a limit everything goes. */
  readonly maxFreed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
  /** Called with the full path of each, when it is gone from the store directory. */
  readonly onDeleted?: ((path: string) => void) | undefined;
}

export interface CollectResult {
  /** How many paths and other entries were deleted. */
  readonly deleted: number;
  /** As Nix counts: files with more than two links free nothing. */
  readonly bytesFreed: number;
  /** Of `paths`, what is alive. */
  readonly refused: readonly Refusal[];
  /** What could not be deleted; none of it is valid any more. */
  readonly problems: readonly SluiceError[];
  /** What hard links in `.links` save, in bytes. */
  readonly saved: number;
}

/**
 * Deletes garbage.
 *
 * @throws {StoreError} on a store that is read-only; the reason of `signal`. What was deleted until then is gone.
 */
export async function collectGarbage(options: CollectOptions): Promise<CollectResult> {
  const { store, settings, paths, ignoreLiveness, signal, onMessage } = options;
  const { stateDir, storeDir } = store;
  if (!(await store.open()).writable) throw new StoreError(`store '${store.uri}' is open for reading only`);
  // This is what it is there for: from here on there is a little room, even where the disk is full.
  giveUpReserve(stateDir);

  const libc = loadLibc();
  await using resources = new AsyncDisposableStack();
  const pool = options.pool ?? resources.use(new WorkerPool({ settings }));
  const onWait = (): void => onMessage?.('waiting for the big garbage collector lock...');
  await prepareRootSocket(stateDir).catch((error) => {
    throw asStoreError(`cannot listen for new roots in '${stateDir}/gc-socket'`, error);
  });
  const trash = await openTrash(store, resources);
  resources.use(await acquireGcLock(libc, stateDir, { signal, onWait }));
  const deletion = new Deletion({ ...options, libc, pool, trash });
  resources.use(await openRootServer({ stateDir, storeDir, onRoot: (digits) => deletion.addRoot(digits) }));

  onMessage?.('finding garbage collector roots...');
  const found = { store, settings, pool, ignoreLiveness, signal, onMessage };
  const { survey, database } = await surveyStore(found, resources);
  const { garbage, refused } = paths === undefined ? { garbage: allOf(survey), refused: [] } : survey.judge(paths);
  onMessage?.('deleting garbage...');
  if (options.maxFreed !== 0) await deletion.run(garbage, survey, database);
  onMessage?.('deleting unused links...');
  const saved = await deleteUnusedLinks(store, pool, signal);
  const { deleted, bytesFreed, problems } = deletion;
  return { deleted, bytesFreed, problems, refused, saved };
}

export interface LivenessResult {
  /** Sorted. */
  readonly live: readonly StorePath[];
  /** Sorted. */
  readonly dead: readonly StorePath[];
  /** The sizes of the dead ones' NARs together, in bytes: about what deleting them would free. */
  readonly deadSize: number;
  /** Of `paths`, what is alive; `dead` are the others. */
  readonly refused: readonly Refusal[];
}

/** Says what {@link collectGarbage} would delete. Nothing is changed, but for roots that are stale. */
export async function findGarbage(options: Omit<CollectOptions, 'maxFreed'>): Promise<LivenessResult> {
  await using resources = new AsyncDisposableStack();
  const pool = options.pool ?? resources.use(new WorkerPool(options));
  options.onMessage?.('finding garbage collector roots...');
  const { survey } = await surveyStore({ ...options, pool }, resources);
  options.onMessage?.('determining live/dead paths...');
  const { paths } = options;
  const { garbage, refused } = paths === undefined ? { garbage: survey.garbage(), refused: [] } : survey.judge(paths);
  const deadSize = garbage.reduce((sum, { narSize = 0 }) => sum + narSize, 0);
  return { live: survey.live(), dead: garbage.map(({ path }) => path).sort(), deadSize, refused };
}

/** Where garbage is moved to before it is deleted; undefined where not even a directory can be made. */
async function openTrash(store: LocalStore, resources: AsyncDisposableStack): Promise<string | undefined> {
  try {
    return resources.use(await store.openStaging()).dir;
  } catch (error) {
    if (isNoRoom((error as Error).cause)) return undefined;
    throw error;
  }
}

async function deleteUnusedLinks(store: LocalStore, pool: WorkerPool, signal?: AbortSignal): Promise<number> {
  const linksDir = join(store.realStoreDir, '.links');
  const jobs = Array.from({ length: pool.threads }, (_, part) =>
    pool.run('deleteLinks', { linksDir, part, parts: pool.threads }, { signal }),
  );
  return (await Promise.all(jobs)).reduce((sum, { saved }) => sum + saved, 0);
}

/** What has a name that no store path has is treated as a path is that is not valid: it goes first. */
function allOf(survey: Survey): Garbage[] {
  const entry = { id: undefined, number: undefined, narSize: undefined };
  return [...survey.junk.map((name) => ({ ...entry, path: name as StorePath })), ...survey.garbage()];
}

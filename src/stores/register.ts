/**
 * Registration: the step that makes staged paths valid, many in one go.
 *
 * For a group of paths, references first:
 *   1. make them and what they refer to temporary roots, so that no collector takes what is not yet valid;
 *   2. take their path locks, so that nobody else makes the same paths meanwhile;
 *   3. move what is not valid yet from staging into place;
 *   4. syncfs(2), once for all, when `fsync-store-paths` says so;
 *   5. insert all rows in one transaction, which looks again whether each path and its references are valid;
 *   6. let go of the locks.
 *
 * What a crash leaves behind. Killed before step 3, the paths are in a staging directory that the next run removes.
 * Killed between 3 and 5, some lie in their place but have no row: leftovers, which nobody takes for valid and which
 * the next to make them moves away. The commit of step 5 is one step for SQLite: all rows are there, or none.
 *
 * What a power failure leaves behind. A row may be lost, since in WAL mode with `synchronous = normal` a commit is not
 * flushed: that makes one more leftover. But a row must never be on disk before its contents and its name are. The
 * operating system may write the log whenever it likes, so all of these must be durable before the transaction starts.
 * One syncfs of the store's file system after the renames does both, whichever file system the database is on.
 */
import { open } from 'node:fs/promises';
import { IncompleteClosureError, type SluiceError } from '../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { backOff } from './back-off.ts';
import type { InsertResult, StoreDatabase } from './database.ts';
import { asStoreError } from './fs-errors.ts';
import type { WritableState } from './local-store-state.ts';
import { tryLockPath } from './path-locks.ts';
import { removeTree } from './remove-tree.ts';
import { whenFree } from './sqlite.ts';
import { type MovedPath, moveBack, moveIn, type StagedPath } from './staged-path.ts';

/** How registration ended for one path. */
export type RegisterOutcome =
  /** `alreadyValid`: somebody else was faster, and what was staged is not needed. */
  | { readonly path: StorePath; readonly state: 'registered' | 'alreadyValid' }
  /** What was staged is still there. */
  | { readonly path: StorePath; readonly state: 'failed'; readonly error: SluiceError };

export interface RegisterOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as soon as a path's outcome is known, which may be long before the others' are. */
  readonly onOutcome?: ((outcome: RegisterOutcome) => void) | undefined;
}

export interface RegisterContext extends WritableState {
  readonly storeDir: StoreDir;
  readonly realStoreDir: string;
  readonly database: StoreDatabase;
  /** Whether contents are made durable before they are valid. */
  readonly fsyncStorePaths: boolean;
}

/**
 * The size of a group: as many paths as a process may have files open without asking, and as much as each step does
 * in a few milliseconds, since the event loop waits meanwhile.
 */
const MAX_GROUP = { paths: 512, references: 8_192 } as const;

/**
 * Makes staged paths valid.
 *
 * A path whose lock somebody else holds is put off together with the paths that need it, and tried again when the rest
 * is done: a lock may be held for as long as a build takes.
 *
 * @param batch - references before what refers to them.
 * @returns one outcome for each of the batch, in its order. A path fails alone, with those that need it.
 * @throws the reason of `signal`; paths that were told to `onOutcome` by then stay valid.
 */
export async function registerStaged(
  context: RegisterContext,
  batch: readonly StagedPath[],
  { signal, onOutcome }: RegisterOptions = {},
): Promise<readonly RegisterOutcome[]> {
  const outcomes = new Map<StorePath, RegisterOutcome>();
  const tell = (outcome: RegisterOutcome): void => {
    outcomes.set(outcome.path, outcome);
    onOutcome?.(outcome);
  };
  let rest = [...new Map(batch.map((staged) => [staged.info.path, staged])).values()];
  await context.tempRoots.add(mentioned(context.storeDir, rest), signal);
  for (let attempt = 0; rest.length > 0; attempt++) {
    signal?.throwIfAborted();
    const putOff = new Set<StorePath>();
    for (const group of groups(rest)) await registerGroup(context, group, { putOff, tell, signal });
    if (putOff.size > 0) await backOff(putOff.size < rest.length ? 0 : attempt, signal);
    rest = rest.filter(({ info }) => putOff.has(info.path));
  }
  return batch.map(({ info }) => outcomes.get(info.path)!);
}

function mentioned(storeDir: StoreDir, batch: readonly StagedPath[]): Set<string> {
  const paths = batch.flatMap(({ info }) => [info.path, ...info.references]);
  return new Set(paths.map((path) => printStorePath(storeDir, path)));
}

function* groups(batch: readonly StagedPath[]): Generator<readonly StagedPath[]> {
  let group: StagedPath[] = [];
  let references = 0;
  for (const staged of batch) {
    group.push(staged);
    references += staged.info.references.length;
    if (group.length < MAX_GROUP.paths && references < MAX_GROUP.references) continue;
    yield group;
    [group, references] = [[], 0];
  }
  if (group.length > 0) yield group;
}

interface GroupOptions {
  /** Paths of the batch that wait for a lock, or for one that does. */
  readonly putOff: Set<StorePath>;
  readonly tell: (outcome: RegisterOutcome) => void;
  readonly signal: AbortSignal | undefined;
}

async function registerGroup(
  context: RegisterContext,
  group: readonly StagedPath[],
  options: GroupOptions,
): Promise<void> {
  const { database, storeDir } = context;
  const { tell, signal } = options;
  await using afterwards = new AsyncDisposableStack();
  using locks = new DisposableStack();
  const locked = lockFree(context, group, locks, options);
  const valid = await whenFree(() => locked.filter(({ info }) => database.isValidPath(info.path)), signal);
  for (const { info } of valid) tell({ path: info.path, state: 'alreadyValid' });

  const moved: MovedPath[] = [];
  const done = new Set<MovedPath>();
  using undo = new DisposableStack();
  undo.defer(() => moved.filter((each) => !done.has(each)).forEach(moveBack));
  for (const staged of without(locked, valid)) {
    const one = attempt(context, staged, tell, () => moveIn(staged, storeDir, realPathOf(context, staged)));
    if (one === undefined) continue;
    moved.push(one);
    if (one.leftover !== undefined) afterwards.defer(() => removeTree(one.leftover!));
  }
  if (moved.length === 0) return;

  try {
    if (context.fsyncStorePaths) await syncStore(context);
    const now = Math.floor(Date.now() / 1000);
    const insert = ({ staged, outputs }: MovedPath): InsertResult => database.insert(staged.info, outputs, now);
    const results = await whenFree(() => database.write(() => moved.map(insert)), signal);
    for (const [index, one] of moved.entries()) {
      const result = results[index]!;
      if (result.state !== 'incomplete') done.add(one);
      tell(outcomeOf(context, one.staged, result));
    }
  } catch (error) {
    signal?.throwIfAborted();
    for (const { staged } of moved) tell(failure(context, staged, error));
  }
}

/** Takes the locks that are free. Who needs a path that is put off is put off, too. */
function lockFree(
  context: RegisterContext,
  group: readonly StagedPath[],
  locks: DisposableStack,
  { putOff, tell }: GroupOptions,
): readonly StagedPath[] {
  return group.filter((staged) => {
    const { path, references } = staged.info;
    const blocked = references.some((reference) => reference !== path && putOff.has(reference));
    const lock = blocked ? 'putOff' : attempt(context, staged, tell, () => tryLock(context, staged));
    if (lock === 'putOff') putOff.add(path);
    else if (lock !== undefined) locks.use(lock);
    return lock !== 'putOff' && lock !== undefined;
  });
}

function tryLock(context: RegisterContext, staged: StagedPath): Disposable | 'putOff' {
  return tryLockPath(context.libc, realPathOf(context, staged)) ?? 'putOff';
}

/** Runs `action`; where it throws, the path has failed. */
function attempt<T>(
  context: RegisterContext,
  staged: StagedPath,
  tell: GroupOptions['tell'],
  action: () => T,
): T | undefined {
  try {
    return action();
  } catch (error) {
    tell(failure(context, staged, error));
    return undefined;
  }
}

async function syncStore({ libc, realStoreDir }: RegisterContext): Promise<void> {
  await using directory = await open(realStoreDir);
  await libc.syncFileSystem(directory.fd, realStoreDir);
}

function outcomeOf(context: RegisterContext, { info }: StagedPath, result: InsertResult): RegisterOutcome {
  const { path } = info;
  if (result.state !== 'incomplete') return { path, state: result.state };
  const [ours, missing] = [path, result.missing].map((each) => printStorePath(context.storeDir, each));
  const error = new IncompleteClosureError(`cannot register '${ours}': '${missing}', which it refers to, is not valid`);
  return { path, state: 'failed', error };
}

function failure({ storeDir }: RegisterContext, { info: { path } }: StagedPath, error: unknown): RegisterOutcome {
  const problem = `cannot register '${printStorePath(storeDir, path)}'`;
  return { path, state: 'failed', error: asStoreError(problem, error) };
}

function realPathOf({ realStoreDir }: RegisterContext, { info }: StagedPath): string {
  return `${realStoreDir}/${info.path}`;
}

function without<T>(all: readonly T[], some: readonly T[]): readonly T[] {
  const left = new Set(all);
  for (const one of some) left.delete(one);
  return [...left];
}

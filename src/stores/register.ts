/**
 * Registration: the step that makes staged paths valid, many in one go.
 *
 * For a group of paths, references first:
 *   1. make them and what they refer to temporary roots, so that no collector takes what is not yet valid; refuse
 *      derivations with wrong outputs;
 *   2. take those of their path locks that are not held yet, so that nobody else makes the same paths meanwhile;
 *   3. move what is not valid yet from staging into place;
 *   4. syncfs(2), once for all, when `fsync-store-paths` says so;
 *   5. insert all rows in one transaction, which looks again whether each path and its references are valid;
 *   6. let go of the locks that were taken here.
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
import { FormatError, IncompleteClosureError, type SluiceError, StoreError } from '../errors.ts';
import { isDerivationPath } from '../formats/derivation-hash.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { backOff } from './back-off.ts';
import type { InsertResult, StoreDatabase } from './database.ts';
import type { DerivationReader } from './derivations.ts';
import { asStoreError } from './fs-errors.ts';
import type { WritableState } from './local-store-state.ts';
import { tryLockPath } from './path-locks.ts';
import { removeTree } from './remove-tree.ts';
import { whenFree } from './sqlite.ts';
import { checkStaged, type MovedPath, moveBack, moveIn, type StagedPath } from './staged-path.ts';

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
  /** Of the same store. */
  readonly derivations: DerivationReader;
  /** Whether contents are made durable before they are valid. */
  readonly fsyncStorePaths: boolean;
}

/**
 * The size of a group. Its lock files are open at the same time, and the event loop waits while it takes one step.
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
  const named = group.filter((staged) => succeeds(context, staged, tell, () => checkStaged(staged, storeDir)));
  await context.tempRoots.add(mentioned(storeDir, named), signal);
  const fit = await checkDerivations(context, named, tell, signal);

  await using afterwards = new AsyncDisposableStack();
  using locks = new DisposableStack();
  const locked = fit.filter((staged) => lockIfFree(context, staged, locks, options));
  const valid = new Set(
    await whenFree(() => locked.filter(({ info }) => database.isValidPath(info.path)), signal, database.file),
  );
  for (const { info } of valid) tell({ path: info.path, state: 'alreadyValid' });

  const moved = new Set<MovedPath>();
  using undo = new DisposableStack();
  undo.defer(() => moved.forEach(moveBack)); // those that are still in the set
  for (const staged of locked) {
    if (valid.has(staged)) continue;
    succeeds(context, staged, tell, () => {
      const one = moveIn(staged, storeDir, realPathOf(context, staged));
      moved.add(one);
      // Where it cannot be removed, it goes with the staging directory.
      if (one.leftover !== undefined) afterwards.defer(() => removeTree(one.leftover!).catch(() => {}));
    });
  }
  const outcomes = await insertAll(context, [...moved], signal);
  for (const [one, outcome] of outcomes) if (outcome.state !== 'failed') moved.delete(one);
  for (const outcome of outcomes.values()) tell(outcome);
}

/**
 * Leaves out derivations with wrong outputs. Those are not looked at which are valid already, and those that refer to
 * what is not valid: their outcome is known without.
 */
async function checkDerivations(
  context: RegisterContext,
  group: readonly StagedPath[],
  tell: GroupOptions['tell'],
  signal: AbortSignal | undefined,
): Promise<readonly StagedPath[]> {
  const { database, derivations } = context;
  const candidates = group.filter(({ info }) => isDerivationPath(info.path));
  if (candidates.length === 0) return group;
  const paths = new Set(group.map(({ info }) => info.path));
  const isThere = (path: StorePath): boolean => paths.has(path) || database.isValidPath(path);
  const checked = await whenFree(
    () => candidates.filter(({ info }) => !database.isValidPath(info.path) && info.references.every(isThere)),
    signal,
  );
  const staged = new Map(checked.map(({ info, location }) => [info.path, location]));
  const problems = await derivations.checkStaged(staged, { signal });
  return group.filter((one) => {
    const problem = problems.get(one.info.path);
    if (problem !== undefined) tell(failure(context, one, problem));
    return problem === undefined;
  });
}

/** Makes what was moved into place durable and then valid, all in one transaction. */
async function insertAll(
  context: RegisterContext,
  moved: readonly MovedPath[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<MovedPath, RegisterOutcome>> {
  if (moved.length === 0) return new Map();
  const { database } = context;
  const now = Math.floor(Date.now() / 1000);
  const insert = ({ staged, outputs }: MovedPath): InsertResult => database.insert(staged.info, outputs, now);
  try {
    if (context.fsyncStorePaths) await syncStore(context);
    const results = await whenFree(() => database.write(() => moved.map(insert)), signal, database.file);
    return new Map(moved.map((one, index) => [one, outcomeOf(context, one.staged, results[index]!)]));
  } catch (error) {
    signal?.throwIfAborted();
    return new Map(moved.map((one) => [one, failure(context, one.staged, error)]));
  }
}

/** Takes the path's lock where it is free. Who needs a path that is put off is put off, too. */
function lockIfFree(
  context: RegisterContext,
  staged: StagedPath,
  locks: DisposableStack,
  { putOff, tell }: GroupOptions,
): boolean {
  const { path, references } = staged.info;
  let isLocked = false;
  if (!references.some((reference) => reference !== path && putOff.has(reference))) {
    const tried = succeeds(context, staged, tell, () => {
      const lock = staged.isLocked ? undefined : tryLockPath(context.libc, realPathOf(context, staged));
      isLocked = staged.isLocked || lock !== undefined;
      locks.use(lock);
    });
    if (!tried) return false;
  }
  if (!isLocked) putOff.add(path);
  return isLocked;
}

/** Whether `action` does its work; where it throws, the path has failed. */
function succeeds(
  context: RegisterContext,
  staged: StagedPath,
  tell: GroupOptions['tell'],
  action: () => void,
): boolean {
  try {
    action();
    return true;
  } catch (error) {
    tell(failure(context, staged, error));
    return false;
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
  if (error instanceof FormatError) {
    return { path, state: 'failed', error: new StoreError(`${problem}: ${error.message}`, { cause: error }) };
  }
  return { path, state: 'failed', error: asStoreError(problem, error) };
}

function realPathOf({ realStoreDir }: RegisterContext, { info }: StagedPath): string {
  return `${realStoreDir}/${info.path}`;
}

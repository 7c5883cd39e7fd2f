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
import { chunksOf, putOffWithOthers } from './together.ts';

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
 * @returns one outcome for each of the batch, in its order. A path fails alone, with those that need it, and those that
 *   it becomes valid together with.
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
    for (const group of chunksOf(rest, MAX_GROUP))
      await registerGroup(context, group, { putOff, tell, before: outcomes, signal });
    if (putOff.size > 0) await backOff(putOff.size < rest.length ? 0 : attempt, signal);
    rest = rest.filter(({ info }) => putOff.has(info.path));
  }
  return batch.map(({ info }) => outcomes.get(info.path)!);
}

function* mentioned(batch: readonly StagedPath[]): Generator<StorePath> {
  for (const { info } of batch) {
    yield info.path;
    yield* info.references;
  }
}

interface GroupOptions {
  /** Paths of the batch that wait for a lock, or for one that does. */
  readonly putOff: Set<StorePath>;
  readonly tell: (outcome: RegisterOutcome) => void;
  /** What has been told of the batch. */
  readonly before: ReadonlyMap<StorePath, RegisterOutcome>;
  readonly signal: AbortSignal | undefined;
}

async function registerGroup(
  context: RegisterContext,
  group: readonly StagedPath[],
  { putOff, tell, before, signal }: GroupOptions,
): Promise<void> {
  const { database, storeDir } = context;
  const outcomes = new Outcomes(context, group, { tell, before });
  const named = outcomes.filter(group, (staged) => checkStaged(staged, storeDir));
  await context.tempRoots.addPaths(storeDir, mentioned(named), signal);
  const fit = await checkDerivations(context, named, outcomes, signal);

  await using afterwards = new AsyncDisposableStack();
  using locks = new DisposableStack();
  const tried = outcomes.filter(fit, (staged) => {
    if (!lockIfFree(context, staged, locks, putOff)) putOff.add(staged.info.path);
  });
  putOffWithOthers(tried, putOff);
  const locked = tried.filter(({ info }) => !putOff.has(info.path));
  const paths = locked.map(({ info }) => info.path);
  const valid = new Set(await whenFree(() => database.filterValid(paths), signal, database.file));
  for (const path of valid) outcomes.tell({ path, state: 'alreadyValid' });

  const moved = new Map<StagedPath, MovedPath>();
  using undo = new DisposableStack();
  undo.defer(() => moved.values().forEach(moveBack)); // those that are still there
  const inPlace = outcomes.filter(
    locked.filter(({ info }) => !valid.has(info.path)),
    (staged) => {
      const one = moveIn(staged, storeDir, realPathOf(context, staged));
      moved.set(staged, one);
      // Where it cannot be removed, it goes with the staging directory.
      if (one.leftover !== undefined) afterwards.defer(() => removeTree(one.leftover!).catch(() => {}));
    },
  );
  const all = inPlace.map((staged) => moved.get(staged)!);
  const inserted = await insertAll(context, all, outcomes, signal);
  for (const { staged } of inserted) moved.delete(staged); // first: whoever is told may throw
  for (const { staged, state } of inserted) outcomes.tell({ path: staged.info.path, state });
}

/**
 * Leaves out derivations with wrong outputs. Those are not looked at which are valid already, and those that refer to
 * what is not valid: their outcome is known without.
 */
async function checkDerivations(
  context: RegisterContext,
  group: readonly StagedPath[],
  outcomes: Outcomes,
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
  return outcomes.filter(group, ({ info }) => {
    const problem = problems.get(info.path);
    if (problem !== undefined) throw problem;
  });
}

/** How it ended for the paths of a group. One that fails takes those with it that become valid together with it. */
class Outcomes {
  readonly #context: RegisterContext;
  readonly #group: ReadonlyMap<StorePath, StagedPath>;
  readonly #tell: GroupOptions['tell'];
  readonly #before: GroupOptions['before'];
  readonly #told = new Set<StorePath>();

  constructor(
    context: RegisterContext,
    group: readonly StagedPath[],
    { tell, before }: Pick<GroupOptions, 'tell' | 'before'>,
  ) {
    this.#context = context;
    this.#group = new Map(group.map((staged) => [staged.info.path, staged]));
    this.#tell = tell;
    this.#before = before;
  }

  /** Why a path failed, if it was in the batch and did. */
  failureOf(path: StorePath): SluiceError | undefined {
    const outcome = this.#before.get(path);
    return outcome?.state === 'failed' ? outcome.error : undefined;
  }

  tell(outcome: RegisterOutcome): void {
    this.#told.add(outcome.path);
    this.#tell(outcome);
  }

  /** Those of which nothing is known yet. */
  open(group: readonly StagedPath[]): StagedPath[] {
    return group.filter(({ info }) => !this.#told.has(info.path));
  }

  /** Those with which `action` does its work, and with all that they become valid together with. */
  filter(group: readonly StagedPath[], action: (staged: StagedPath) => void): StagedPath[] {
    for (const staged of group) {
      if (this.#told.has(staged.info.path)) continue;
      try {
        action(staged);
      } catch (error) {
        this.fail(staged, error);
      }
    }
    return this.open(group);
  }

  fail(staged: StagedPath, cause: unknown): void {
    const { storeDir } = this.#context;
    const error = failure(this.#context, staged, cause);
    this.tell({ path: staged.info.path, state: 'failed', error });
    for (const path of staged.together ?? []) {
      if (this.#told.has(path) || !this.#group.has(path)) continue;
      const problem = `cannot register '${printStorePath(storeDir, path)}' without what was made with it`;
      this.tell({ path, state: 'failed', error: new StoreError(`${problem}: ${error.message}`, { cause: error }) });
    }
  }
}

interface Inserted {
  readonly staged: StagedPath;
  readonly state: 'registered' | 'alreadyValid';
}

/**
 * Makes what was moved into place durable and then valid, all in one transaction.
 *
 * @returns those that are valid now; of the others it has been told why they are not.
 */
async function insertAll(
  context: RegisterContext,
  moved: readonly MovedPath[],
  outcomes: Outcomes,
  signal: AbortSignal | undefined,
): Promise<readonly Inserted[]> {
  if (moved.length === 0) return [];
  const { database } = context;
  let rest = moved;
  try {
    if (context.fsyncStorePaths) await syncStore(context);
    for (;;) {
      const { results, undone } = await whenFree(() => tryInsert(database, rest), signal, database.file);
      const inserted = rest.flatMap(({ staged }, index): Inserted[] => {
        const result = results[index]!;
        if (result.state !== 'incomplete') return [{ staged, state: result.state }];
        outcomes.fail(staged, incomplete(context, staged, result.missing, outcomes.failureOf(result.missing)));
        return [];
      });
      if (!undone) return inserted;
      const open = new Set(outcomes.open(rest.map(({ staged }) => staged)));
      rest = rest.filter(({ staged }) => open.has(staged));
    }
  } catch (error) {
    signal?.throwIfAborted();
    for (const staged of outcomes.open(rest.map(({ staged }) => staged))) outcomes.fail(staged, error);
    return [];
  }
}

/** Inserts rows. All of that is undone where one cannot be inserted that belongs together with others. */
function tryInsert(
  database: StoreDatabase,
  moved: readonly MovedPath[],
): { readonly results: readonly InsertResult[]; readonly undone: boolean } {
  const now = Math.floor(Date.now() / 1000);
  const undo = new Error('unreachable: a transaction that is undone was not');
  let results: readonly InsertResult[] = [];
  try {
    database.write(() => {
      results = moved.map(({ staged, outputs }) => database.insert(staged.info, outputs, now));
      if (results.some(({ state }, index) => state === 'incomplete' && moved[index]!.staged.together)) throw undo;
    });
    return { results, undone: false };
  } catch (error) {
    if (error !== undo) throw error;
    return { results, undone: true };
  }
}

/** Takes the path's lock where it is free. Who needs a path that is put off is put off, too. */
function lockIfFree(
  context: RegisterContext,
  staged: StagedPath,
  locks: DisposableStack,
  putOff: ReadonlySet<StorePath>,
): boolean {
  const { path, references } = staged.info;
  if (putOff.size > 0 && references.some((reference) => reference !== path && putOff.has(reference))) return false;
  if (staged.isLocked) return true;
  const lock = tryLockPath(context.libc, realPathOf(context, staged));
  locks.use(lock);
  return lock !== undefined;
}

async function syncStore({ libc, realStoreDir }: RegisterContext): Promise<void> {
  await using directory = await open(realStoreDir);
  await libc.syncFileSystem(directory.fd, realStoreDir);
}

function incomplete(
  { storeDir }: RegisterContext,
  { info }: StagedPath,
  path: StorePath,
  cause: SluiceError | undefined,
): IncompleteClosureError {
  const [ours, missing] = [info.path, path].map((each) => printStorePath(storeDir, each));
  const problem = `cannot register '${ours}': '${missing}', which it refers to, is not valid`;
  return new IncompleteClosureError(problem, { cause });
}

function failure({ storeDir }: RegisterContext, { info: { path } }: StagedPath, error: unknown): SluiceError {
  const problem = `cannot register '${printStorePath(storeDir, path)}'`;
  if (error instanceof FormatError) return new StoreError(`${problem}: ${error.message}`, { cause: error });
  return asStoreError(problem, error);
}

function realPathOf({ realStoreDir }: RegisterContext, { info }: StagedPath): string {
  return `${realStoreDir}/${info.path}`;
}

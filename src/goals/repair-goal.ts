/**
 * The goal that makes the contents of a path good, from a substituter where they are not. A path that is not valid is
 * substituted.
 *
 * The registered NAR hash is what the contents are held against, before and after: it stands in for a signature, and a
 * substituter that has something else under this name is of no use. What the path refers to is not looked at.
 *
 * Source: Nix 2.35 libstore/build/worker.cc, Worker::repairPath, pathContentsGood; substitution-goal.cc.
 */
import { asSluiceError, HashMismatchError, NoSubstitutersError, SluiceError } from '../errors.ts';
import { hashesEqual, printHash } from '../formats/hash.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { Candidate } from '../substituters/path-search.ts';
import type { Goal, GoalResult, LocalGoalContext } from './goal.ts';
import { LockWait } from './lock-wait.ts';
import { transfer } from './transfer.ts';
import { trySubstituters } from './try-substituters.ts';

/** What a repair does to the local store. */
export interface PathRepairs {
  /**
   * Keeps others from repairing the path at the same time, once they are done with it.
   *
   * @param onTaken - is called where another process has the lock, before that is waited for.
   */
  lock(path: StorePath, signal: AbortSignal, onTaken: () => void): Promise<Disposable>;

  queryPathInfo(path: StorePath, signal: AbortSignal): Promise<PathInfo | undefined>;

  /** Whether the contents of a path are there and what was registered; remembered for as long as goals are under way. */
  pathContentsGood(info: PathInfo, signal: AbortSignal): Promise<boolean>;

  /** The contents of a path are known to be good. */
  markContentsGood(path: StorePath): void;

  /**
   * Puts staged contents in the place of those of a path, which is locked.
   *
   * @throws where they are not what was registered, or the file system refuses.
   */
  replace(info: PathInfo, location: string, signal: AbortSignal): Promise<void>;
}

/** What a repair may ask of the scheduler. */
export interface RepairContext extends LocalGoalContext {
  readonly repairs: PathRepairs;
}

export class RepairGoal implements Goal {
  /** Not that of a substitution, which has nothing to do where the path is valid. */
  readonly key: string;
  readonly path: StorePath;
  readonly #storeDir: StoreDir;

  constructor(path: StorePath, storeDir: StoreDir) {
    this.key = `repair:${path}`;
    this.path = path;
    this.#storeDir = storeDir;
  }

  async run(context: RepairContext): Promise<GoalResult> {
    const { repairs, signal } = context;
    if (await context.isValidPath(this.path)) {
      using wait = new LockWait(this.path, context);
      using _lock = await repairs.lock(this.path, signal, () => wait.begin(this.path));
      wait.end();
      const registered = await repairs.queryPathInfo(this.path, signal);
      if (registered !== undefined) return await this.#repair(registered, context);
    }
    const ended = await context.waitFor([this.path]);
    return ended.ok ? { state: 'succeeded', how: 'substituted' } : ended.result;
  }

  async #repair(registered: PathInfo, context: RepairContext): Promise<GoalResult> {
    const { repairs, signal } = context;
    if (await repairs.pathContentsGood(registered, signal)) return { state: 'succeeded', how: 'alreadyValid' };
    const substituters = await context.substituters();
    const attempt = (candidate: Candidate): Promise<GoalResult> => this.#replace(candidate, registered, context);
    const result = await trySubstituters(this.path, substituters, context, attempt);
    if (result !== undefined) return result;
    const problem = substituters.length === 0 ? 'there are no substituters' : 'no substituter has it';
    const hint =
      substituters.length === 0
        ? 'name one with --substituter URI'
        : `asked: ${substituters.map(({ uri }) => `'${uri}'`).join(', ')}`;
    const failure = new NoSubstitutersError(`cannot repair path '${this.#shown}': ${problem}`, { hint });
    return { state: 'noSubstituters', failure };
  }

  /** @throws where the substituter is of no use, and the next may do better. */
  async #replace(candidate: Candidate, registered: PathInfo, context: RepairContext): Promise<GoalResult> {
    const { substituter, info } = candidate;
    const { repairs, signal } = context;
    if (!hashesEqual(info.narHash, registered.narHash)) {
      const [wanted, got] = [registered, info].map(({ narHash }) => printHash(narHash, 'nix32'));
      throw new HashMismatchError(`what '${substituter.uri}' has as '${this.#shown}'`, wanted!, got!);
    }
    let location: string;
    try {
      location = await transfer(candidate, { by: 'nothing' }, context, signal);
    } catch (error) {
      if (isOfLocalStore(error)) return { state: 'failed', failure: error };
      throw error;
    }
    try {
      await repairs.replace(registered, location, signal);
    } catch (error) {
      await context.discard(location);
      signal.throwIfAborted();
      return { state: 'failed', failure: asSluiceError(error) };
    }
    repairs.markContentsGood(this.path);
    return { state: 'succeeded', how: 'repaired' };
  }

  get #shown(): string {
    return printStorePath(this.#storeDir, this.path);
  }
}

/** Such as a full disk: no other substituter would do better. */
function isOfLocalStore(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === 'ERR_STORE';
}

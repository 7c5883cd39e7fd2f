/** What repair goals ask of the local store: locks, what is good already, and the exchange of contents. */
import { existsSync } from 'node:fs';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { PathRepairs } from '../goals/repair-goal.ts';
import type { WorkerPool } from '../pool/worker-pool.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { compareContents } from './contents.ts';
import { Slots } from './slots.ts';

/** Each holds a lock, which is an open file. */
const AT_ONCE = 64;

export type RepairStore = Pick<
  LocalStore,
  'lockPath' | 'queryPathInfo' | 'realPath' | 'replacePath' | 'storeDir' | 'tryLockPath'
>;

export class Repairs implements PathRepairs {
  readonly #store: RepairStore;
  readonly #pool: Pick<WorkerPool, 'run'>;
  readonly #slots = new Slots(AT_ONCE);
  readonly #good = new Map<StorePath, boolean>();

  constructor(store: RepairStore, pool: Pick<WorkerPool, 'run'>) {
    this.#store = store;
    this.#pool = pool;
  }

  /** Forgets which contents are good. */
  clear(): void {
    this.#good.clear();
  }

  async lock(path: StorePath, signal: AbortSignal, onTaken: () => void): Promise<Disposable> {
    using held = new DisposableStack();
    held.use(await this.#slots.acquire(signal));
    const lock = await this.#store.tryLockPath(path);
    if (lock === undefined) onTaken();
    held.use(lock ?? (await this.#store.lockPath(path, { signal })));
    return held.move();
  }

  queryPathInfo(path: StorePath, signal: AbortSignal): Promise<PathInfo | undefined> {
    return this.#store.queryPathInfo(path, { signal });
  }

  async pathContentsGood(info: PathInfo, signal: AbortSignal): Promise<boolean> {
    const known = this.#good.get(info.path);
    if (known !== undefined) return known;
    const realPath = this.#store.realPath(info.path);
    const good = existsSync(realPath) && (await this.#matches(info, realPath, signal));
    this.#good.set(info.path, good);
    return good;
  }

  markContentsGood(path: StorePath): void {
    this.#good.set(path, true);
  }

  async replace(info: PathInfo, location: string, signal: AbortSignal): Promise<void> {
    // The NAR was good that came; what was made of it may share a file that is not, where files are linked.
    await this.#check(info, location, signal);
    await this.#store.replacePath(info.path, location);
  }

  async #matches(info: PathInfo, realPath: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#check(info, realPath, signal);
      return true;
    } catch {
      signal.throwIfAborted();
      return false; // also where it cannot be read
    }
  }

  async #check(info: PathInfo, realPath: string, signal: AbortSignal): Promise<void> {
    const found = await this.#pool.run('hashPath', { realPath }, { signal, weight: info.narSize });
    compareContents({ ...info, shown: printStorePath(this.#store.storeDir, info.path) }, found);
  }
}

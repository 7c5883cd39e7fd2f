/** A local store without a database: what is valid is in memory, and of the files only their names are there. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printDerivation } from '../../src/formats/derivation.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { DEFAULT_STORE_DIR, type StoreDir, type StorePath } from '../../src/formats/store-path.ts';
import type { GoalStore } from '../../src/scheduler/goal-runner.ts';
import { SpaceClaim } from '../../src/stores/free-space.ts';
import type { RegisterOptions, RegisterOutcome, StagedPath } from '../../src/stores/local-store.ts';
import type { MadeDerivation } from './derivations.ts';
import { infoOf } from './substituters.ts';

export class MemoryGoalStore implements GoalStore {
  readonly storeDir: StoreDir = DEFAULT_STORE_DIR;
  readonly uri: string = 'memory';
  readonly openUri: string = 'memory';
  readonly valid: Map<StorePath, PathInfo> = new Map();
  readonly locked: Set<StorePath> = new Set();
  /** Registered with a lock that nobody held, or before what it refers to: what must not be. */
  readonly wrongs: string[] = [];
  readonly #dir: string;

  /** @param dir - an empty directory. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  addDerivations(...made: readonly MadeDerivation[]): void {
    for (const { drvPath, derivation } of made) {
      writeFileSync(this.realPath(drvPath), printDerivation(this.storeDir, derivation));
      this.add(infoOf(drvPath, [...derivation.inputDrvs.keys(), ...derivation.inputSrcs]));
    }
  }

  add(info: PathInfo): void {
    this.valid.set(info.path, info);
    if (!existsSync(this.realPath(info.path))) writeFileSync(this.realPath(info.path), '');
  }

  realPath(path: StorePath): string {
    return join(this.#dir, path);
  }

  async addTempRoots(): Promise<void> {}

  async isValidPath(path: StorePath): Promise<boolean> {
    return this.valid.has(path);
  }

  async queryValidPaths(paths: Iterable<StorePath>): Promise<Set<StorePath>> {
    return new Set([...paths].filter((path) => this.valid.has(path)));
  }

  async queryPathInfo(path: StorePath): Promise<PathInfo | undefined> {
    return this.valid.get(path);
  }

  async queryPathInfos(paths: Iterable<StorePath>): Promise<Map<StorePath, PathInfo>> {
    return new Map([...paths].filter((path) => this.valid.has(path)).map((path) => [path, this.valid.get(path)!]));
  }

  async tryLockPath(path: StorePath): Promise<Disposable | undefined> {
    if (this.locked.has(path)) return undefined;
    this.locked.add(path);
    const lock = new DisposableStack();
    lock.defer(() => this.locked.delete(path));
    return lock;
  }

  async lockPath(path: StorePath): Promise<Disposable> {
    for (;;) {
      const lock = await this.tryLockPath(path);
      if (lock !== undefined) return lock;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async openStaging(): ReturnType<GoalStore['openStaging']> {
    const dir = join(this.#dir, 'staging');
    mkdirSync(dir);
    return { dir, [Symbol.asyncDispose]: async () => {} };
  }

  async claimSpace(): ReturnType<GoalStore['claimSpace']> {
    return new SpaceClaim(0, new Set());
  }

  async partialLocation(): Promise<undefined> {
    return undefined;
  }

  async registerStaged(
    batch: readonly StagedPath[],
    { onOutcome }: RegisterOptions = {},
  ): Promise<readonly RegisterOutcome[]> {
    await new Promise((resolve) => setImmediate(resolve));
    const outcomes = batch.map(({ info, isLocked }): RegisterOutcome => {
      const { path, references } = info;
      if (isLocked && !this.locked.has(path)) this.wrongs.push(`the lock of ${path} is not held`);
      if (this.valid.has(path)) return { path, state: 'alreadyValid' };
      const missing = references.find((reference) => reference !== path && !this.valid.has(reference));
      if (missing !== undefined) this.wrongs.push(`${path} refers to ${missing}, which is not valid`);
      this.add(info);
      return { path, state: 'registered' };
    });
    for (const outcome of outcomes) onOutcome?.(outcome);
    return outcomes;
  }

  async replacePath(): Promise<void> {}
}

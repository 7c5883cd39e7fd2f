/** What the goals of builds ask of a scheduler and of the local store: {@link Builds}. */
import { lstatSync, mkdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { asSluiceError, BuildError, StoreError } from '../errors.ts';
import { hashesEqual } from '../formats/hash.ts';
import { findOutputProblems } from '../formats/output-checks.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { hashPart, printStorePath, type StorePath } from '../formats/store-path.ts';
import type { BuildPlace, Builds, BuildTask } from '../goals/derivation-context.ts';
import type { JobOptions, SlotKind } from '../goals/goal.ts';
import type { BuiltOutput } from '../pool/messages.ts';
import type { Settings } from '../settings.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { Signer } from '../stores/signer.ts';
import { Closures } from './closures.ts';
import type { Machines } from './machines.ts';
import { OutputLocks } from './output-locks.ts';
import { type JobRunner, Places } from './places.ts';
import type { Registrar } from './registrar.ts';
import { Slots } from './slots.ts';

export type BuildStore = Pick<
  LocalStore,
  | 'queryPathInfo'
  | 'queryPathInfos'
  | 'queryValidPaths'
  | 'realPath'
  | 'replacePath'
  | 'storeDir'
  | 'tryLockPath'
  | 'uri'
>;

export interface LocalBuildsOptions {
  readonly store: BuildStore;
  readonly settings: Settings;
  readonly slots: Readonly<Record<SlotKind, Slots>>;
  readonly machines: Machines;
  readonly pool: JobRunner;
  readonly registrar: Registrar;
  /** A file name in the staging directory that nothing else uses. */
  readonly stagingLocation: (name: string) => Promise<string>;
  /** Removes what lies there; nobody waits for that. */
  readonly removeLater: (location: string) => void;
}

export class LocalBuilds implements Builds {
  readonly #options: LocalBuildsOptions;
  readonly #places: Places;
  readonly #closures: Closures;
  readonly #locks: OutputLocks;
  readonly #signer: Signer;
  readonly #hooks: Slots;
  /** To be told when a build has ended. */
  #ended = Promise.withResolvers<void>();

  constructor(options: LocalBuildsOptions) {
    const { store, settings } = options;
    this.#options = options;
    this.#places = new Places(options);
    this.#closures = new Closures(store);
    this.#locks = new OutputLocks(store);
    this.#signer = new Signer(store.storeDir, settings.secretKeyFiles);
    this.#hooks = new Slots(Math.max(1, settings.maxJobs));
  }

  /** Forgets what goals have found out. */
  clear(): void {
    this.#places.clear();
    this.#closures.clear();
  }

  async place(task: BuildTask, declined: boolean, signal: AbortSignal): Promise<BuildPlace> {
    const place = await this.#places.find(task, declined, signal);
    const dispose = (): void => {
      place[Symbol.dispose]();
      this.#ended.resolve();
      this.#ended = Promise.withResolvers();
    };
    return { machine: place.machine, run: place.run, [Symbol.dispose]: dispose };
  }

  async later(signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    using cleanup = new DisposableStack();
    cleanup.defer(() => timer.abort());
    const any = AbortSignal.any([signal, timer.signal]);
    const pause = setTimeout(1000 * this.#options.settings.buildPollInterval, undefined, { signal: any });
    await Promise.race([this.#ended.promise, pause.catch(() => {})]);
    signal.throwIfAborted();
  }

  tryLock(paths: readonly StorePath[], onForeign: (path: StorePath) => void): Promise<Disposable | undefined> {
    return this.#locks.tryLock(paths, onForeign);
  }

  lockChange(paths: readonly StorePath[], signal: AbortSignal): Promise<void> {
    return this.#locks.change(paths, signal);
  }

  queryClosure(paths: readonly StorePath[], signal: AbortSignal): Promise<readonly PathInfo[]> {
    return this.#closures.query(paths, signal);
  }

  async openStaging(drvPath: StorePath): Promise<{ readonly dir: string } & Disposable> {
    const dir = await this.#options.stagingLocation(`build-${hashPart(drvPath)}`);
    mkdirSync(dir);
    return { dir, [Symbol.dispose]: () => this.#options.removeLater(dir) };
  }

  async removeInvalid(paths: readonly StorePath[], signal: AbortSignal): Promise<void> {
    const { pool, store } = this.#options;
    const found = paths.map((path) => store.realPath(path)).filter(isThere);
    if (found.length === 0) return;
    const { problems } = await pool.run('deletePaths', { paths: found }, { signal });
    const [problem] = problems;
    if (problem === undefined) return;
    throw new StoreError(`cannot remove '${problem.path}', which is not valid: ${problem.message}`);
  }

  async register(task: BuildTask, outputs: readonly BuiltOutput[], signal: AbortSignal): Promise<void> {
    const { registrar, store } = this.#options;
    await this.#check(task, outputs, signal);
    const signed = await Promise.all(outputs.map((output) => this.#sign(output)));
    const own = new Set(signed.map(({ info }) => info.path));
    const replaced = task.mode === 'repair' ? await store.queryValidPaths(own, { signal }) : new Set<StorePath>();
    const added: Promise<void>[] = [];
    for (const { info, location } of signed) {
      if (replaced.has(info.path)) continue;
      // All inputs are valid, and a build refers to nothing else.
      for (const reference of info.references)
        if (!own.has(reference) || replaced.has(reference)) registrar.markValid(reference);
      added.push(registrar.register({ info, location: location!, isLocked: true, together: [...own] }, signal));
    }
    await Promise.all(added);
    for (const output of signed) if (replaced.has(output.info.path)) await this.#replace(output);
    for (const { info } of signed) this.#closures.add(info);
  }

  async registerOther(output: BuiltOutput, signal: AbortSignal): Promise<boolean> {
    const { registrar } = this.#options;
    using lock = await this.#locks.tryLock([output.info.path]);
    if (lock === undefined) return false;
    const { info, location } = await this.#sign(output);
    await registrar.register({ info, location: location!, isLocked: true }, signal);
    this.#closures.add(info);
    return true;
  }

  async postBuildHook(task: BuildTask, outputs: readonly StorePath[], options: JobOptions): Promise<void> {
    const { pool, settings, store } = this.#options;
    if (settings.postBuildHook === '') return;
    using _turn = await this.#hooks.acquire(options.signal);
    const print = (path: StorePath): string => printStorePath(store.storeDir, path);
    const request = { drvPath: print(task.drvPath), outPaths: outputs.map(print) };
    try {
      await pool.run('postBuildHook', request, options);
    } catch (error) {
      options.signal.throwIfAborted();
      this.#places.stop(asSluiceError(error));
      throw error;
    }
  }

  async #check(task: BuildTask, outputs: readonly BuiltOutput[], signal: AbortSignal): Promise<void> {
    const { storeDir } = this.#options.store;
    const built = new Map(outputs.map(({ name, info }) => [name, info]));
    const queryClosure = async (paths: readonly StorePath[]): Promise<ReadonlyMap<StorePath, PathInfo>> => {
      return new Map((await this.#closures.query(paths, signal)).map((info) => [info.path, info]));
    };
    const problems = await findOutputProblems(storeDir, task.options.outputChecks, built, queryClosure);
    if (problems.length === 0) return;
    throw new BuildError(`outputs of '${printStorePath(storeDir, task.drvPath)}': ${problems.join('\n')}`, {
      failure: { status: 'outputRejected' },
    });
  }

  async #sign(output: BuiltOutput): Promise<BuiltOutput> {
    return { ...output, info: await this.#signer.sign(output.info) };
  }

  /**
   * Puts a rebuilt output in the place of the one that is there. Where it came out with other contents than were
   * registered, these count from now on, as in Nix. Killed between the two steps, it is as spoiled as before.
   */
  async #replace({ info, location }: BuiltOutput): Promise<void> {
    const { store } = this.#options;
    const registered = await store.queryPathInfo(info.path);
    const isSame = registered !== undefined && hashesEqual(registered.narHash, info.narHash);
    const signatures = isSame ? [...new Set([...registered.signatures, ...info.signatures])] : info.signatures;
    await store.replacePath(info.path, location!, { ...info, signatures });
  }
}

function isThere(realPath: string): boolean {
  return lstatSync(realPath, { throwIfNoEntry: false }) !== undefined;
}

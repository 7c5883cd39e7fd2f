/**
 * A store behind the worker protocol: a daemon on this machine, or one on another through ssh.
 *
 * Source: Nix 2.35 libstore/remote-store.cc.
 */
import { BuildError } from '../../errors.ts';
import { type BuildResult, buildFailureOf, isBuildSuccess } from '../../formats/build-result.ts';
import type { BasicDerivation } from '../../formats/derivation.ts';
import type { DerivedPath } from '../../formats/derived-path.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { plainText } from '../../formats/quote.ts';
import type { StoreDir, StorePath } from '../../formats/store-path.ts';
import { writeBasicDerivation } from '../../formats/wire/derivation.ts';
import { type Reading, readBoolean, readInteger, readList } from '../../formats/wire/read.ts';
import { readStorePaths, writeStorePath, writeStorePaths } from '../../formats/wire/store-paths.ts';
import { WireWriter } from '../../formats/wire/write.ts';
import {
  BUILD_MODES,
  readWorkerBuildResult,
  readWorkerDerivedPath,
  writeWorkerDerivedPath,
} from '../../formats/worker-protocol/builds.ts';
import type { DaemonInfo } from '../../formats/worker-protocol/handshake.ts';
import { BUILD_LOG_LINE, type DaemonMessage, SET_PHASE } from '../../formats/worker-protocol/messages.ts';
import { readUnkeyedPathInfo, writePathInfo } from '../../formats/worker-protocol/path-info.ts';
import type { BuildMode, BuildOptions } from '../build-store.ts';
import type { AddOptions, ObjectSource, RemoteStore, ValidPathsOptions } from '../remote-store.ts';
import type { NarOptions, NarSource, QueryOptions, Sink } from '../store.ts';
import { addOne, checkedNar, explainMissingNar } from './adding.ts';
import { BuildLimits } from './build-limits.ts';
import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import { InfoBatches } from './info-batches.ts';
import type { RemoteOptions } from './params.ts';
import { patienceToAnswer, patienceToTransfer } from './patience.ts';
import type { WorkerClient } from './worker-client.ts';

/** From then on a question for valid paths says whether to substitute them first. */
const HAS_SUBSTITUTE_FLAG = 27;
/** From then on many objects come in one request, and builds tell how each path ended. */
const HAS_ADD_MULTIPLE = 32;
const HAS_RESULTS = 34;

export class WorkerStore implements RemoteStore {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Whether its paths are taken without a signature. */
  readonly trusted: boolean;
  readonly #settings: RemoteOptions['settings'];
  readonly #pool: ConnectionPool<WorkerClient>;
  readonly #infos: InfoBatches;

  /** @param open - connects, and says hello. Nothing is connected before it is needed. */
  constructor(options: RemoteOptions, open: PoolOptions<WorkerClient>['open']) {
    this.uri = options.uri;
    this.openUri = options.openUri;
    this.storeDir = options.storeDir;
    this.trusted = options.trusted;
    this.#settings = options.settings;
    this.#pool = new ConnectionPool({ limit: options.maxConnections, open });
    this.#infos = new InfoBatches((paths, asked) => this.queryPathInfos(paths, asked), options.maxConnections);
  }

  queryDaemon({ signal }: QueryOptions = {}): Promise<DaemonInfo> {
    return this.#pool.run(async ({ daemon }) => daemon, { signal });
  }

  queryPathInfo(path: StorePath, options?: QueryOptions): Promise<PathInfo | undefined> {
    return this.#infos.ask(path, options);
  }

  async isValidPath(path: StorePath, options: QueryOptions = {}): Promise<boolean> {
    return (await this.queryValidPaths([path], options)).has(path);
  }

  async queryValidPaths(paths: readonly StorePath[], options: ValidPathsOptions = {}): Promise<Set<StorePath>> {
    const { signal, substitute = false } = options;
    const patience = substitute ? patienceToTransfer(this.#settings) : patienceToAnswer(this.#settings, options);
    const ask = (client: WorkerClient): Promise<StorePath[]> => {
      const write = (to: WireWriter): void => {
        writeStorePaths(to, this.storeDir, paths);
        if (client.version.minor >= HAS_SUBSTITUTE_FLAG) to.boolean(substitute);
      };
      return client.request('queryValidPaths', write, () => readStorePaths(this.storeDir));
    };
    return new Set(await this.#pool.run(ask, { signal, patience }));
  }

  queryPathInfos(paths: readonly StorePath[], options: QueryOptions = {}): Promise<Map<StorePath, PathInfo>> {
    const { signal } = options;
    const ask = async (client: WorkerClient): Promise<Map<StorePath, PathInfo>> => {
      const infos = new Map<StorePath, PathInfo>();
      if (paths.length === 0) return infos;
      // The daemon reads one request after the other, and we read its answers meanwhile.
      const sent = client.start(
        paths.map((path) => ['queryPathInfo', (to) => writeStorePath(to, this.storeDir, path)] as const),
      );
      sent.catch(() => {}); // then there is no answer either
      for (const [index, path] of paths.entries()) {
        const isLast = index === paths.length - 1;
        await client.hear(isLast);
        const info = await client.connection.read(this.#readInfo(path));
        if (info !== undefined) infos.set(path, info);
      }
      await sent;
      client.connection.settle();
      return infos;
    };
    return this.#pool.run(ask, { signal, patience: patienceToAnswer(this.#settings, options) });
  }

  async narFromPath(info: PathInfo, sink: Sink, options: NarOptions = {}): Promise<void> {
    const { signal, onDownload } = options;
    const pour = async (client: WorkerClient): Promise<void> => {
      await client.start([['narFromPath', (to) => writeStorePath(to, this.storeDir, info.path)]]);
      await client.hear(true);
      await client.connection.readNar(sink, onDownload);
      client.connection.settle();
    };
    const patience = patienceToTransfer(this.#settings);
    await this.#pool.run(pour, { signal, patience }).catch(async (error) => {
      throw await explainMissingNar(this, info, error, options);
    });
  }

  async addToStore(info: PathInfo, nar: NarSource, options: AddOptions = {}): Promise<void> {
    await addOne(this, { info, nar }, options);
  }

  async addMultipleToStore(objects: readonly ObjectSource[], options: AddOptions = {}): Promise<void> {
    if (objects.length === 0) return;
    const { signal } = options;
    const add = async (client: WorkerClient): Promise<void> => {
      if (client.version.minor >= HAS_ADD_MULTIPLE) return await this.#addTogether(client, objects, options);
      for (const object of objects) await this.#addAlone(client, object, options);
    };
    await this.#pool.run(add, { signal, patience: patienceToTransfer(this.#settings) });
  }

  async buildDerivation(
    drvPath: StorePath,
    derivation: BasicDerivation,
    mode: BuildMode,
    options: BuildOptions = {},
  ): Promise<BuildResult> {
    using limits = new BuildLimits(options, 0);
    const build = (client: WorkerClient): Promise<BuildResult> => {
      limits.begin();
      const write = (to: WireWriter): void => {
        writeStorePath(to, this.storeDir, drvPath);
        writeBasicDerivation(to, this.storeDir, derivation);
        to.integer(BUILD_MODES.indexOf(mode));
      };
      const answer = (): Reading<BuildResult> => readWorkerBuildResult(this.storeDir, client.version);
      return client.request('buildDerivation', write, answer, { onMessage: tellLog(limits, options) });
    };
    const result = await this.#pool.run(build, { signal: limits.signal }).catch((error) => limits.result(error));
    return { ...result, message: plainText(result.message) };
  }

  async buildPaths(paths: readonly DerivedPath[], mode: BuildMode, options: BuildOptions = {}): Promise<void> {
    using limits = new BuildLimits(options, 0);
    const build = async (client: WorkerClient): Promise<readonly BuildResult[]> => {
      limits.begin();
      const { version } = client;
      const write = (to: WireWriter): void => {
        to.list(paths, (path) => writeWorkerDerivedPath(to, this.storeDir, path, version));
        to.integer(BUILD_MODES.indexOf(mode));
      };
      const request = { onMessage: tellLog(limits, options) };
      if (version.minor < HAS_RESULTS) {
        await client.request('buildPaths', write, () => readInteger(), request);
        return [];
      }
      const { storeDir } = this;
      function* readResult(): Reading<BuildResult> {
        yield* readWorkerDerivedPath(storeDir, version);
        return yield* readWorkerBuildResult(storeDir, version);
      }
      return await client.request('buildPathsWithResults', write, () => readList(readResult), request);
    };
    const results = await this.#pool
      .run(build, { signal: limits.signal })
      .catch((error) => [limits.result(error)] as const);
    const failed = results.find(({ status }) => !isBuildSuccess(status));
    if (failed === undefined) return;
    throw new BuildError(`'${this.uri}' could not build: ${plainText(failed.message)}`, {
      failure: { status: buildFailureOf(failed.status) },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pool[Symbol.dispose]();
  }

  *#readInfo(path: StorePath): Reading<PathInfo | undefined> {
    return (yield* readBoolean()) ? yield* readUnkeyedPathInfo(this.storeDir, path) : undefined;
  }

  async #addTogether(client: WorkerClient, objects: readonly ObjectSource[], options: AddOptions): Promise<void> {
    const contents: NarSource = async (sink) => {
      await sink(new WireWriter().integer(objects.length).finish());
      for (const object of objects) {
        const head = new WireWriter();
        writePathInfo(head, this.storeDir, object.info);
        await sink(head.finish());
        await checkedNar(this, object, options)(sink);
      }
    };
    const write = (to: WireWriter): void => void to.boolean(false).boolean(!options.checkSigs);
    await client.request('addMultipleToStore', write, nothing, { contents });
  }

  async #addAlone(client: WorkerClient, object: ObjectSource, options: AddOptions): Promise<void> {
    const write = (to: WireWriter): void => {
      writePathInfo(to, this.storeDir, object.info);
      to.boolean(false).boolean(!options.checkSigs);
    };
    const contents = checkedNar(this, object, options);
    await client.request('addToStoreNar', write, nothing, { contents });
  }
}

/** Some operations have no answer but that they ended well. */
function* nothing(): Reading<void> {}

function tellLog(limits: BuildLimits, { onPhase }: BuildOptions): (message: DaemonMessage) => void {
  return (message) => {
    if (message.kind !== 'result') return;
    const [text = ''] = message.fields;
    if (message.type === BUILD_LOG_LINE) limits.line(String(text));
    else if (message.type === SET_PHASE) onPhase?.(String(text));
  };
}

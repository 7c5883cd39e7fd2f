/**
 * A store on another machine, behind ssh and `nix-store --serve`: `ssh://host`.
 *
 * Source: Nix 2.35 libstore/legacy-ssh-store.cc.
 */
import { BuildError, RemoteError, UsageError } from '../../errors.ts';
import { type BuildResult, buildFailureOf, isBuildSuccess } from '../../formats/build-result.ts';
import type { BasicDerivation } from '../../formats/derivation.ts';
import type { DerivedPath } from '../../formats/derived-path.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { printPathWithOutputs } from '../../formats/path-with-outputs.ts';
import { plainText } from '../../formats/quote.ts';
import { readServeBuildResult, writeServeBuildOptions } from '../../formats/serve-protocol/builds.ts';
import { readServePathInfos, writeAddedPathInfo } from '../../formats/serve-protocol/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { readBuildStatus } from '../../formats/wire/build-result.ts';
import { writeBasicDerivation } from '../../formats/wire/derivation.ts';
import { type Reading, readInteger, readMessage } from '../../formats/wire/read.ts';
import { readStorePaths, writeStorePath, writeStorePaths } from '../../formats/wire/store-paths.ts';
import type { WireWriter } from '../../formats/wire/write.ts';
import type { DaemonInfo } from '../../formats/worker-protocol/handshake.ts';
import type { BuildMode, BuildOptions } from '../build-store.ts';
import type { AddOptions, ObjectSource, RemoteStore, ValidPathsOptions } from '../remote-store.ts';
import type { NarOptions, NarSource, QueryOptions, Sink } from '../store.ts';
import { addOne, checkedNar, explainMissingNar } from './adding.ts';
import { BuildLimits } from './build-limits.ts';
import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import { InfoBatches } from './info-batches.ts';
import type { RemoteOptions } from './params.ts';
import { patienceToAnswer, patienceToTransfer } from './patience.ts';
import type { ServeClient } from './serve-client.ts';

/** In seconds: the other side knows the limits, too, and has the better words. */
const GRACE = 10;

export class ServeStore implements RemoteStore {
  readonly uri: string;
  readonly openUri: string;
  readonly storeDir: StoreDir;
  /** Whether its paths are taken without a signature. */
  readonly trusted: boolean;
  readonly #settings: RemoteOptions['settings'];
  readonly #pool: ConnectionPool<ServeClient>;
  readonly #infos: InfoBatches;

  /** @param open - connects, and says hello. Nothing is connected before it is needed. */
  constructor(options: RemoteOptions, open: PoolOptions<ServeClient>['open']) {
    this.uri = options.uri;
    this.openUri = options.openUri;
    this.storeDir = options.storeDir;
    this.trusted = options.trusted;
    this.#settings = options.settings;
    this.#pool = new ConnectionPool({ limit: options.maxConnections, open });
    this.#infos = new InfoBatches((paths, asked) => this.queryPathInfos(paths, asked), options.maxConnections);
  }

  /** The protocol has no words for what it is. */
  queryDaemon({ signal }: QueryOptions = {}): Promise<DaemonInfo> {
    return this.#pool.run(async () => ({ nixVersion: undefined, trustsUs: undefined }), { signal });
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
    const write = (to: WireWriter): void => {
      to.boolean(true); // keeps them from being collected as long as the connection lasts
      to.boolean(substitute);
      writeStorePaths(to, this.storeDir, paths);
    };
    const ask = (client: ServeClient): Promise<StorePath[]> =>
      client.request('queryValidPaths', write, () => readStorePaths(this.storeDir));
    return new Set(await this.#pool.run(ask, { signal, patience }));
  }

  async queryPathInfos(paths: readonly StorePath[], options: QueryOptions = {}): Promise<Map<StorePath, PathInfo>> {
    const asked = new Set(paths);
    const write = (to: WireWriter): void => writeStorePaths(to, this.storeDir, paths);
    const ask = (client: ServeClient): Promise<PathInfo[]> =>
      client.request('queryPathInfos', write, () => readServePathInfos(this.storeDir));
    const patience = patienceToAnswer(this.#settings, options);
    const infos = await this.#pool.run(ask, { signal: options.signal, patience });
    return new Map(infos.filter(({ path }) => asked.has(path)).map((info) => [info.path, info]));
  }

  async narFromPath(info: PathInfo, sink: Sink, options: NarOptions = {}): Promise<void> {
    const pour = async (client: ServeClient): Promise<void> => {
      await client.start('dumpStorePath', (to) => writeStorePath(to, this.storeDir, info.path));
      await client.connection.readNar(sink, options.onDownload);
      client.connection.settle();
    };
    const patience = patienceToTransfer(this.#settings);
    await this.#pool.run(pour, { signal: options.signal, patience }).catch(async (error) => {
      throw await explainMissingNar(this, info, error, options);
    });
  }

  async addToStore(info: PathInfo, nar: NarSource, options: AddOptions = {}): Promise<void> {
    await addOne(this, { info, nar }, options);
  }

  /** The protocol has no word for signatures: the other side checks none. */
  async addMultipleToStore(objects: readonly ObjectSource[], options: AddOptions = {}): Promise<void> {
    const add = async (client: ServeClient): Promise<void> => {
      for (const object of objects) await this.#add(client, object, options);
    };
    await this.#pool.run(add, { signal: options.signal, patience: patienceToTransfer(this.#settings) });
  }

  /** Modes other than `normal` cannot be told to the other side. */
  async buildDerivation(
    drvPath: StorePath,
    derivation: BasicDerivation,
    mode: BuildMode,
    options: BuildOptions = {},
  ): Promise<BuildResult> {
    this.#checkMode(mode);
    using limits = new BuildLimits(options, GRACE);
    const build = async (client: ServeClient): Promise<BuildResult> => {
      limits.begin();
      using _listening = client.connection.listen((line) => limits.line(line));
      return await client.request(
        'buildDerivation',
        (to) => {
          writeStorePath(to, this.storeDir, drvPath);
          writeBasicDerivation(to, this.storeDir, derivation);
          writeOptions(to, options, client);
        },
        () => readServeBuildResult(this.storeDir, client.minor),
      );
    };
    const result = await this.#pool.run(build, { signal: limits.signal }).catch((error) => limits.result(error));
    return { ...result, message: plainText(result.message) };
  }

  async buildPaths(paths: readonly DerivedPath[], mode: BuildMode, options: BuildOptions = {}): Promise<void> {
    this.#checkMode(mode);
    using limits = new BuildLimits(options, GRACE);
    const build = async (client: ServeClient): Promise<Pick<BuildResult, 'status' | 'message'>> => {
      limits.begin();
      using _listening = client.connection.listen((line) => limits.line(line));
      const write = (to: WireWriter): void => {
        to.strings(paths.map((path) => printPathWithOutputs(this.storeDir, path)));
        writeOptions(to, options, client);
      };
      return await client.request('buildPaths', write, readOutcome);
    };
    const { status, message } = await this.#pool
      .run(build, { signal: limits.signal })
      .catch((error) => limits.result(error));
    if (isBuildSuccess(status)) return;
    throw new BuildError(`'${this.uri}' could not build: ${plainText(message)}`, {
      failure: { status: buildFailureOf(status) },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pool[Symbol.dispose]();
  }

  async #add(client: ServeClient, object: ObjectSource, options: AddOptions): Promise<void> {
    const write = (to: WireWriter): void => writeAddedPathInfo(to, this.storeDir, object.info);
    const contents = checkedNar(this, object, options);
    const answer = await client.request('addToStoreNar', write, () => readInteger(), contents);
    if (answer === 1) return;
    throw new RemoteError(`'${this.uri}' could not add '${printStorePath(this.storeDir, object.info.path)}'`);
  }

  #checkMode(mode: BuildMode): void {
    if (mode === 'normal') return;
    throw new UsageError(`'${this.uri}' cannot be told to ${mode}`, { hint: 'use ssh-ng://' });
  }
}

/** A status, and a message where it is none of success. */
function* readOutcome(): Reading<Pick<BuildResult, 'status' | 'message'>> {
  const status = yield* readBuildStatus();
  return { status, message: isBuildSuccess(status) ? '' : yield* readMessage() };
}

function writeOptions(to: WireWriter, options: BuildOptions, { minor }: ServeClient): void {
  const { maxSilentTime = 0, timeout = 0, maxLogSize = 0, keepFailed = false } = options;
  writeServeBuildOptions(to, { maxSilentTime, timeout, maxLogSize, keepFailed }, minor);
}

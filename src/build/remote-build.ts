/**
 * A build in another store: what it lacks of the inputs is copied there, the derivation is built, and the outputs are
 * fetched into a staging directory, each checked as what a substituter sends.
 *
 * Source: Nix 2.35 nix/build-remote/build-remote.cc.
 */
import { BuildError, InvalidPathError, SluiceError, UntrustedError } from '../errors.ts';
import { type BuildResult, buildFailureOf, buildStatusOf, isBuildSuccess } from '../formats/build-result.ts';
import type { BasicDerivation } from '../formats/derivation.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { referencesFirst } from '../formats/references-first.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { BuildOptions } from '../stores/build-store.ts';
import type { LocalStore } from '../stores/local-store.ts';
import type { RemoteStore } from '../stores/remote-store.ts';
import { removeTree } from '../stores/remove-tree.ts';
import { verifyNar } from '../stores/verify-nar.ts';
import { acquireUploadLock } from './upload-lock.ts';

export interface RemoteBuildRequest {
  readonly drvPath: StorePath;
  readonly derivation: BasicDerivation;
  /** The closure of its inputs, references first; all valid in the local store. */
  readonly inputPaths: readonly StorePath[];
  /** Those that are wanted. */
  readonly outputs: readonly { readonly name: string; readonly path: StorePath }[];
}

export interface RemoteBuildOptions extends BuildOptions {
  /** The store to build in. */
  readonly on: RemoteStore;
  /** The URI by which it is one of the machines. */
  readonly machine: string;
  readonly localStore: LocalStore;
  /** A directory for this build alone, in a staging directory of the local store. */
  readonly staging: string;
  /** Whether the other side first fetches inputs from its own substituters. */
  readonly usesSubstitutes: boolean;
  /** Hears that it is built there, before the outputs are fetched. */
  readonly onBuilt?: (() => void) | undefined;
  /** Hears how many bytes of NARs have been sent, and how many have been fetched; each call adds to the last. */
  readonly onSent?: ((bytes: number) => void) | undefined;
  readonly onFetched?: ((bytes: number) => void) | undefined;
}

/** An output that was fetched. */
export interface FetchedOutput {
  readonly name: string;
  /** As it is to be registered here: not built by this store. */
  readonly info: PathInfo;
  readonly location: string;
}

export interface RemoteBuild {
  readonly result: BuildResult;
  /** Empty where the build failed. */
  readonly outputs: readonly FetchedOutput[];
}

/**
 * @returns how the build ended, as the other side says.
 * @throws {BuildError} on outputs that cannot be those of this build; what is wrong with the connection. Nothing is left
 *   in the staging directory then. The reason of the signal, once the connection is closed.
 */
export async function buildRemotely(request: RemoteBuildRequest, options: RemoteBuildOptions): Promise<RemoteBuild> {
  await copyInputs(request.inputPaths, options);
  const result = await build(request, options);
  if (!isBuildSuccess(result.status)) return { result, outputs: [] };
  options.onBuilt?.();
  return { result, outputs: await fetchOutputs(request, options) };
}

/** What is missing there, as one stream; while nobody else sends there, who may be sending the same. */
async function copyInputs(paths: readonly StorePath[], options: RemoteBuildOptions): Promise<void> {
  const { on, machine, localStore, usesSubstitutes, signal, onSent } = options;
  const missingNow = async (substitute: boolean): Promise<StorePath[]> => {
    const valid = await on.queryValidPaths(paths, { signal, substitute });
    return paths.filter((path) => !valid.has(path));
  };
  if (paths.length === 0 || (await missingNow(false)).length === 0) return;
  using _lock = await acquireUploadLock(localStore.stateDir, machine, signal);
  const missing = await missingNow(usesSubstitutes);
  if (missing.length === 0) return;
  const infos = await localStore.queryPathInfos(missing, { signal });
  const objects = missing.map((path) => {
    const info = infos.get(path);
    if (info === undefined) throw new InvalidPathError(printStorePath(localStore.storeDir, path), localStore.uri);
    return {
      info: { ...info, ultimate: false, registrationTime: undefined }, // it was not built there
      nar: (sink: (chunk: Uint8Array) => void | Promise<void>) =>
        localStore.narFromPath(info, sink, { signal, onDownload: onSent }),
    };
  });
  await on.addMultipleToStore(objects, { signal, checkSigs: false });
}

/**
 * Who is not trusted there may not say what to build, but may ask for the derivation, as its own closure proves what it
 * makes. Inputs without a trusted signature have been refused before that.
 */
async function build(request: RemoteBuildRequest, options: RemoteBuildOptions): Promise<BuildResult> {
  const { drvPath, inputPaths, outputs } = request;
  const { on, localStore, signal } = options;
  const derivation = { ...request.derivation, inputSrcs: inputPaths.toSorted() };
  try {
    return await on.buildDerivation(drvPath, derivation, 'normal', options);
  } catch (error) {
    if (!(error instanceof UntrustedError) || !(await localStore.isValidPath(drvPath, { signal }))) throw error;
  }
  const closure = await localStore.queryClosure([drvPath], ['references'], { signal });
  await copyInputs(
    referencesFirst([...closure.keys()], closure, () => true),
    options,
  );
  const startTime = seconds();
  const names = outputs.map(({ name }) => name);
  const plain = { timesBuilt: 1, isNonDeterministic: false, startTime, builtOutputs: new Map() };
  try {
    await on.buildPaths([{ kind: 'built', path: drvPath, outputs: names }], 'normal', options);
    return { ...plain, status: 'built', message: '', stopTime: seconds() };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return { ...plain, status: buildStatusOf(error.failure.status), message: error.message, stopTime: seconds() };
  }
}

async function fetchOutputs(request: RemoteBuildRequest, options: RemoteBuildOptions): Promise<FetchedOutput[]> {
  const { derivation, inputPaths, outputs } = request;
  const { on, signal } = options;
  const infos = await on.queryPathInfos(
    outputs.map(({ path }) => path),
    { signal },
  );
  const known = new Set([...inputPaths, ...Array.from(derivation.outputs.values(), ({ path }) => path)]);
  await using undo = new AsyncDisposableStack();
  const fetched: FetchedOutput[] = [];
  for (const { name, path } of outputs) {
    const said = infos.get(path);
    if (said === undefined) throw rejected(path, options, 'it was not made');
    const stranger = said.references.find((reference) => !known.has(reference));
    if (stranger !== undefined) {
      const stated = printStorePath(on.storeDir, stranger);
      throw rejected(path, options, `it refers to '${stated}', which is not among the inputs`);
    }
    const { narHash, narSize, references, signatures } = said;
    const { contentAddress } = derivation.outputs.get(name) ?? {};
    const info = { path, narHash, narSize, references, signatures, contentAddress, deriver: request.drvPath };
    const location = `${options.staging}/${path}`;
    undo.defer(() => removeTree(location));
    await fetch(info, location, options);
    fetched.push({ name, info, location });
  }
  undo.move(); // they are the caller's from here on
  return fetched;
}

async function fetch(info: PathInfo, location: string, options: RemoteBuildOptions): Promise<void> {
  const { on, localStore, signal, onFetched } = options;
  using restorer = localStore.openRestorer(location);
  const nar = verifyNar(
    on.storeDir,
    info,
    (sink) => on.narFromPath(info, sink, { signal, onDownload: onFetched, synchronous: true }),
    on.uri,
  );
  try {
    await nar((chunk) => {
      signal?.throwIfAborted();
      restorer.push(chunk);
    });
    restorer.finish();
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof SluiceError) || error.code !== 'ERR_HASH_MISMATCH') throw error;
    throw rejected(info.path, options, error.message, error);
  }
}

function rejected(path: StorePath, { on }: RemoteBuildOptions, problem: string, cause?: unknown): BuildError {
  const output = printStorePath(on.storeDir, path);
  return new BuildError(`output '${output}' from '${on.uri}' is rejected: ${problem}`, {
    cause,
    failure: { status: 'outputRejected' },
  });
}

/** The error of a result that is none of success. */
export function asBuildError(
  { status, message }: BuildResult,
  { drvPath, uri, logTail }: { readonly drvPath: string; readonly uri: string; readonly logTail: readonly string[] },
): BuildError {
  const failure = { status: buildFailureOf(status), logTail };
  return new BuildError(`'${drvPath}' could not be built on '${uri}': ${message || status}`, { failure });
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

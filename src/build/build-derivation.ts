/**
 * The build of one derivation on this machine, from its request to outputs that are ready to be registered.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, unprepareBuild.
 */
import { join } from 'node:path';
import { BuildError } from '../errors.ts';
import { type DerivationOptions, parseDerivationOptions } from '../formats/derivation-options.ts';
import { printStorePath } from '../formats/store-path.ts';
import type { BuildReply, BuildRequest, BuiltOutput } from '../pool/messages.ts';
import type { JobContext } from '../pool/serve.ts';
import { type BuildLogFile, openLogFile } from '../stores/build-log/log-file.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { openBuildDir } from './build-dir.ts';
import { acquireBuildUser, type BuildUser } from './build-users.ts';
import { BuilderLog } from './builder-log.ts';
import { isFixed } from './environment.ts';
import { failureOf } from './failures.ts';
import { chooseIsolation } from './isolation.ts';
import { finishOutputs } from './outputs/finish-outputs.ts';
import { openPlace } from './place.ts';
import { runBuilder } from './run-builder.ts';
import type { Bubblewrap } from './sandbox/probe.ts';
import type { SpawnedProcess } from './spawn.ts';
import { threadWatchdog } from './watchdog.ts';

/** What all steps of a build need. */
export interface Build {
  readonly request: BuildRequest;
  readonly context: JobContext;
  readonly store: LocalStore;
  /** The derivation, with the store directory. */
  readonly drvPath: string;
  readonly options: DerivationOptions;
  readonly bubblewrap: Bubblewrap | undefined;
  /** Who runs the builder, where that is not this process's own user. */
  readonly user: BuildUser | undefined;
  /** Where it works. */
  readonly buildDir: string;
}

/** @throws {BuildError} where the derivation cannot be built. */
export async function buildDerivation(
  request: BuildRequest,
  store: LocalStore,
  context: JobContext,
): Promise<BuildReply> {
  const { settings, tell } = context;
  const { derivation } = request;
  const { storeDir, realStoreDir, stateDir } = store;
  const startTime = now();
  const drvPath = printStorePath(storeDir, request.drvPath);
  const fixed = isFixed(derivation);
  const options = parseDerivationOptions(storeDir, derivation);
  const diverted = storeDir !== realStoreDir;
  const bubblewrap = await chooseIsolation({ drvPath, options, settings, fixed, diverted, tell });
  using user = await acquireUser(stateDir, context);
  const parent = settings.buildDir || join(stateDir, 'builds');
  await using buildDir = await openBuildDir(parent, derivation.name, user?.user);
  const build: Build = { request, context, store, drvPath, options, bubblewrap, user, buildDir: buildDir.path };
  const outputs = await makeOutputs(build).catch(async (error: unknown) => {
    if (!settings.keepFailed || !(error instanceof BuildError)) throw error;
    const { message, hint, transient, failure } = error;
    throw new BuildError(message, { hint, transient, failure: { ...failure, keptBuildDir: await buildDir.keep() } });
  });
  return { outputs, startTime, stopTime: now() };
}

async function makeOutputs(build: Build): Promise<readonly BuiltOutput[]> {
  const { request, context, store, drvPath, bubblewrap, user, buildDir } = build;
  const { settings, signal, tell } = context;
  await using place = await openPlace(build);
  using file = openLog(build);
  let running: SpawnedProcess | undefined;
  const log = new BuilderLog({
    tell,
    tailLines: settings.logLines,
    onFull: (full) => (full ? running?.output.pause() : running?.output.resume()),
  });
  const end = await runBuilder({
    spawn: place.spawn,
    settings,
    signal,
    watchdog: threadWatchdog(),
    killUser: user?.killAll,
    onOutput: (chunk, process) => {
      running = process;
      file?.write(chunk);
      log.push(chunk);
    },
  });
  log.finish();
  file?.finish();
  const failure = await failureOf({
    drvPath,
    end,
    tail: log.tail,
    sandboxed: bubblewrap !== undefined,
    fixed: isFixed(request.derivation),
    dirs: [store.realStoreDir, buildDir],
  });
  if (failure !== undefined) throw failure;
  return await finishOutputs({
    request,
    store,
    produced: await place.takeOutputs(),
    rewrites: place.scratch.outputRewrites,
    buildUid: user?.user.uid,
    buildGid: user?.user.gid,
    buildDir,
    settings,
    signal,
    onMessage: (message) => tell({ kind: 'warning', message }),
  });
}

/** Where all that the builder prints is kept; undefined where it is not. */
function openLog({ request, store, context }: Build): BuildLogFile | undefined {
  const { keepBuildLog, compressBuildLog: compress } = context.settings;
  return keepBuildLog ? openLogFile(store.logDir, request.drvPath, { compress }) : undefined;
}

/** Undefined where builders run as this process's own user. */
async function acquireUser(stateDir: string, { settings, signal, tell }: JobContext): Promise<BuildUser | undefined> {
  const { buildUsersGroup: group } = settings;
  if (group === '' || process.getuid?.() !== 0) return undefined;
  const onWait = (): void =>
    tell({ kind: 'warning', message: `waiting for a user of group '${group}' that no build has` });
  return await acquireBuildUser({ stateDir, group, signal, onWait });
}

function now(): number {
  return Math.floor(Date.now() / 1_000);
}

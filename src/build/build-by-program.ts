/**
 * A build by a program: the builder of nearly every derivation.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, unprepareBuild.
 */
import { join } from 'node:path';
import { BuildError } from '../errors.ts';
import { type DerivationOptions, parseDerivationOptions } from '../formats/derivation-options.ts';
import type { JobContext } from '../pool/serve.ts';
import { type BuildBase, openBuildLog } from './build-base.ts';
import { openBuildDir } from './build-dir.ts';
import { acquireBuildUser, type BuildUser } from './build-users.ts';
import { BuilderLog } from './builder-log.ts';
import { isFixed } from './environment.ts';
import { failureOf } from './failures.ts';
import { chooseIsolation } from './isolation.ts';
import { type FinishedOutputs, finishOutputs } from './outputs/finish-outputs.ts';
import { openPlace } from './place.ts';
import { runBuilder } from './run-builder.ts';
import type { Bubblewrap } from './sandbox/probe.ts';
import type { SpawnedProcess } from './spawn.ts';
import { threadWatchdog } from './watchdog.ts';

/** What the steps of such a build need. */
export interface Build extends BuildBase {
  readonly options: DerivationOptions;
  readonly bubblewrap: Bubblewrap | undefined;
  /** Who runs the builder, where that is not this process's own user. */
  readonly user: BuildUser | undefined;
  /** Where it works. */
  readonly buildDir: string;
}

/** @throws {BuildError} where it fails. */
export async function buildByProgram(base: BuildBase): Promise<FinishedOutputs> {
  const { request, store, context, drvPath } = base;
  const { settings, tell } = context;
  const { derivation } = request;
  const { storeDir, realStoreDir, stateDir } = store;
  const options = parseDerivationOptions(storeDir, derivation);
  const [fixed, diverted] = [isFixed(derivation), storeDir !== realStoreDir];
  const bubblewrap = await chooseIsolation({ drvPath, options, settings, fixed, diverted, tell });
  using user = await acquireUser(stateDir, context);
  const parent = settings.buildDir || join(stateDir, 'builds');
  await using buildDir = await openBuildDir(parent, derivation.name, user?.user);
  const build: Build = { ...base, options, bubblewrap, user, buildDir: buildDir.path };
  const withBuildDir = async (error: BuildError): Promise<BuildError> => {
    if (!settings.keepFailed) return error;
    const { message, hint, transient, failure } = error;
    return new BuildError(message, { hint, transient, failure: { ...failure, keptBuildDir: await buildDir.keep() } });
  };
  const { outputs, failure } = await makeOutputs(build).catch(async (error: unknown) => {
    throw error instanceof BuildError ? await withBuildDir(error) : error;
  });
  return { outputs, failure: failure && (await withBuildDir(failure)) };
}

async function makeOutputs(build: Build): Promise<FinishedOutputs> {
  const { request, context, store, drvPath, bubblewrap, user, buildDir } = build;
  const { settings, signal, tell } = context;
  await using place = await openPlace(build);
  using file = openBuildLog(build);
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
    mark: place.mark,
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

/** Undefined where builders run as this process's own user. */
async function acquireUser(stateDir: string, { settings, signal, tell }: JobContext): Promise<BuildUser | undefined> {
  const { buildUsersGroup: group } = settings;
  if (group === '' || process.getuid?.() !== 0) return undefined;
  const onWait = (): void =>
    tell({ kind: 'warning', message: `waiting for a user of group '${group}' that no build has` });
  return await acquireBuildUser({ stateDir, group, signal, onWait });
}

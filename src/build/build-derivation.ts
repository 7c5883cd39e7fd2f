/**
 * The build of one derivation on this machine, from its request to outputs that are ready to be registered.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, unprepareBuild.
 */
import { join } from 'node:path';
import { BuildError } from '../errors.ts';
import { type DerivationOptions, parseDerivationOptions } from '../formats/derivation-options.ts';
import { printStorePath } from '../formats/store-path.ts';
import type { BuildReply, BuildRequest } from '../pool/messages.ts';
import type { JobContext } from '../pool/serve.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { openBuildDir } from './build-dir.ts';
import { acquireBuildUser, type BuildUser } from './build-users.ts';
import { BuilderLog } from './builder-log.ts';
import { isFixed } from './environment.ts';
import { failureOf } from './failures.ts';
import { finishOutputs } from './finish-outputs.ts';
import { chooseIsolation } from './isolation.ts';
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
  readonly options: DerivationOptions;
  readonly bubblewrap: Bubblewrap | undefined;
  /** Who runs the builder, where that is not this process's own user. */
  readonly user: BuildUser | undefined;
  readonly log: BuilderLog;
}

/** @throws {BuildError} where the derivation cannot be built. */
export async function buildDerivation(
  request: BuildRequest,
  store: LocalStore,
  context: JobContext,
): Promise<BuildReply> {
  const { settings, signal, tell } = context;
  const { derivation, drvPath } = request;
  const { storeDir, realStoreDir, stateDir } = store;
  const startTime = now();
  const options = parseDerivationOptions(storeDir, derivation);
  const bubblewrap = await chooseIsolation({
    drvPath: printStorePath(storeDir, drvPath),
    options,
    settings,
    fixed: isFixed(derivation),
    diverted: storeDir !== realStoreDir,
    tell,
  });
  let running: SpawnedProcess | undefined;
  const log = new BuilderLog({
    tell,
    tailLines: settings.logLines,
    onFull: (full) => (full ? running?.output.pause() : running?.output.resume()),
  });
  using user = await acquireUser(stateDir, context);
  const build: Build = { request, context, store, options, bubblewrap, user, log };

  await using buildDir = await openBuildDir(settings.buildDir || join(stateDir, 'builds'), derivation.name, user?.user);
  await using place = await openPlace(build, buildDir.path);
  const end = await runBuilder({
    spawn: place.spawn,
    settings,
    signal,
    watchdog: threadWatchdog(),
    killUser: user?.killAll,
    onOutput: (chunk, process) => {
      running = process;
      log.push(chunk);
    },
  });
  log.finish();
  const failure = await failureOf({
    drvPath: printStorePath(storeDir, drvPath),
    end,
    tail: log.tail,
    sandboxed: bubblewrap !== undefined,
    fixed: isFixed(derivation),
    dirs: [realStoreDir, buildDir.path],
  });
  if (failure !== undefined) {
    if (!settings.keepFailed) throw failure;
    const { message, hint, failure: facts } = failure;
    throw new BuildError(message, { hint, failure: { ...facts, keptBuildDir: await buildDir.keep() } });
  }
  const outputs = await finishOutputs(request, await place.takeOutputs(), {
    build,
    rewrites: place.scratch.outputRewrites,
  });
  return { outputs, startTime, stopTime: now() };
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

/**
 * Where a builder runs: in a sandbox, or as any other program of this machine.
 */
import { chmodSync, chownSync, existsSync, lstatSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BuildError } from '../errors.ts';
import { removeTree } from '../stores/remove-tree.ts';
import { outputPaths } from './build-base.ts';
import type { Build } from './build-by-program.ts';
import { writeBuildFiles } from './build-dir.ts';
import { makeDerivationFiles } from './derivation-files.ts';
import { HOME_DIR, isFixed, makeEnvironment } from './environment.ts';
import { runPreBuildHook } from './hooks/pre-build-hook.ts';
import { rewriteText } from './placeholders.ts';
import { prepareSandbox } from './sandbox/prepare.ts';
import { impureHostPaths, parseSandboxPath, withClosures } from './sandbox/sandbox-paths.ts';
import { makeScratchOutputs, type ScratchOutputs } from './scratch-outputs.ts';
import type { SpawnOptions, User } from './spawn.ts';
import { personalityOf } from './thread-state.ts';

export interface Place extends AsyncDisposable {
  readonly spawn: SpawnOptions;
  /** A variable, `NAME=VALUE`, that only processes of this build have; undefined where they die with their sandbox. */
  readonly mark: string | undefined;
  readonly scratch: ScratchOutputs;
  /**
   * Brings the outputs out of the builder's reach.
   *
   * @returns where each that is wanted lies, if it was made, by name.
   */
  takeOutputs(): Promise<ReadonlyMap<string, string>>;
}

/** Sticky, and its group may write. */
const SHARED_MODE = 0o1775;

/** What the builder is started with. */
interface Command {
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
}

export async function openPlace(build: Build): Promise<Place> {
  return build.bubblewrap === undefined ? await openPlainPlace(build) : await openSandboxPlace(build);
}

async function openSandboxPlace(build: Build): Promise<Place> {
  const { request, context, store, bubblewrap, buildDir } = build;
  const { settings } = context;
  const scratch = scratchOutputs(build, new Set());
  const command = await prepareCommand(build, scratch, settings.sandboxBuildDir);
  const outputs = new Set(scratch.paths.values());
  const { preBuildHook } = settings;
  const added = preBuildHook === '' ? [] : await runPreBuildHook(preBuildHook, build.drvPath, request.staging);
  const asked = impureHostPaths(build.drvPath, build.options.impureHostDeps, settings.allowedImpureHostDeps);
  const wanted = [...settings.sandboxPaths.map(parseSandboxPath), ...asked, ...added];
  const sandboxPaths = await withClosures(wanted, store, outputs);
  const sandbox = prepareSandbox({
    bubblewrap: bubblewrap!,
    settings,
    storeDir: store.storeDir,
    realPath: (path) => store.realPath(path),
    inputPaths: request.inputPaths,
    staging: request.staging,
    buildDir,
    sandboxPaths,
    network: isFixed(request.derivation),
    user: build.user?.user,
  });
  const inner = sandbox.command(command.builder, command.args, command.env);
  return {
    scratch,
    mark: undefined,
    spawn: { ...inner, env: new Map(), cwd: '/', personality: personalityOf(request.derivation.system) },
    takeOutputs: async () => new Map(request.outputs.map(({ name, path }) => [name, sandbox.location(path)] as const)),
    [Symbol.asyncDispose]: async () => sandbox[Symbol.dispose](),
  };
}

async function openPlainPlace(build: Build): Promise<Place> {
  const { request, store, buildDir } = build;
  if (existsSync(HOME_DIR)) {
    throw new BuildError(`'${HOME_DIR}' exists, which builders without a sandbox could see`, {
      failure: { status: 'inputRejected' },
      hint: 'remove it',
    });
  }
  if (build.user !== undefined) shareStoreDir(store.realStoreDir, build.user.user);
  // What was there before and is not valid was removed by who locked the paths.
  const made = new Set(request.mode === 'normal' ? request.outputs.map(({ name }) => name) : []);
  const scratch = scratchOutputs(build, new Set(request.derivation.outputs.keys().filter((name) => !made.has(name))));
  const locations = new Map(Array.from(scratch.paths, ([name, path]) => [name, store.realPath(path)] as const));
  for (const location of locations.values()) await removeTree(location);
  const { builder, args, env } = await prepareCommand(build, scratch, buildDir);
  const moved = new AsyncDisposableStack();
  for (const location of locations.values()) moved.defer(() => removeTree(location));
  return {
    scratch,
    mark: `NIX_BUILD_TOP=${buildDir}`,
    spawn: {
      program: builder,
      args: [basename(builder), ...args],
      env,
      cwd: buildDir,
      user: build.user?.user,
      personality: personalityOf(request.derivation.system),
    },
    takeOutputs: async () => {
      const taken = new Map<string, string>();
      for (const { name } of request.outputs) {
        const location = locations.get(name)!;
        const destination = join(request.staging, basename(location));
        if (isThere(location)) await rename(location, destination);
        taken.set(name, destination);
      }
      return taken;
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

function scratchOutputs({ request, store }: Build, redirected: ReadonlySet<string>): ScratchOutputs {
  return makeScratchOutputs({
    storeDir: store.storeDir,
    drvPath: request.drvPath,
    outputs: outputPaths(request),
    redirected,
  });
}

/** Writes the files that the derivation wants, and says what is to be run with which variables. */
async function prepareCommand(
  { request, context, store, options, user, buildDir }: Build,
  { inputRewrites }: ScratchOutputs,
  seenBuildDir: string,
): Promise<Command> {
  const { storeDir } = store;
  const { derivation, graphs } = request;
  const { variables, files } = makeDerivationFiles(storeDir, derivation, options, graphs, seenBuildDir);
  const rewrite = (text: string): string => rewriteText(text, inputRewrites);
  await writeBuildFiles(
    buildDir,
    new Map(Array.from(files, ([name, text]) => [name, rewrite(text)] as const)),
    user?.user,
  );
  const env = makeEnvironment({
    storeDir,
    derivation,
    options,
    settings: context.settings,
    buildDir: seenBuildDir,
    variables,
    hostEnv: process.env,
  });
  const command = {
    builder: derivation.builder,
    args: derivation.args.map(rewrite),
    env: new Map(Array.from(env, ([name, value]) => [rewrite(name), rewrite(value)] as const)),
  };
  refuseZeroBytes(command);
  return command;
}

/**
 * To the system a zero byte is the end of a text. What comes after it would be dropped, or taken for something else, such
 * as an option of the program that makes the sandbox.
 */
function refuseZeroBytes({ builder, args, env }: Command): void {
  if (![builder, ...args, ...env.keys(), ...env.values()].some((text) => text.includes('\0'))) return;
  throw new BuildError(
    'a builder cannot be given a zero byte, neither in its name, nor in arguments, nor in variables',
    {
      failure: { status: 'inputRejected' },
    },
  );
}

function isThere(location: string): boolean {
  return lstatSync(location, { throwIfNoEntry: false }) !== undefined;
}

/** Lets build users make paths in the store directory, and touch nobody else's: as Nix has it. */
function shareStoreDir(realStoreDir: string, { gid }: User): void {
  const stats = statSync(realStoreDir);
  if (stats.gid === gid && (stats.mode & 0o7777) === SHARED_MODE) return;
  chownSync(realStoreDir, process.getuid!(), gid);
  chmodSync(realStoreDir, SHARED_MODE);
}

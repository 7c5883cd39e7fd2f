/**
 * A build by one of the builders that are part of the program. They run in this thread, without a sandbox, and make
 * outputs in the staging directory.
 *
 * Source: Nix 2.35 manual, "builtin builders"; libstore/unix/build/derivation-builder.cc, runChild.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../errors.ts';
import { parseWithin } from '../formats/store-path.ts';
import { type BuildBase, openBuildLog, outputPaths } from './build-base.ts';
import { BuilderLog } from './builder-log.ts';
import { BUILTINS } from './builtins/builtins.ts';
import { type FinishedOutputs, finishOutputs } from './outputs/finish-outputs.ts';
import { rewriteText } from './placeholders.ts';
import { makeScratchOutputs } from './scratch-outputs.ts';

const PREFIX = 'builtin:';

/** Whether the builder is part of the program. */
export function isBuiltin({ builder }: { readonly builder: string }): boolean {
  return builder.startsWith(PREFIX);
}

/** @throws {BuildError} where there is no such builder, or it fails. */
export async function buildByBuiltin(build: BuildBase): Promise<FinishedOutputs> {
  const { request, store, context } = build;
  const { settings, signal, tell } = context;
  using file = openBuildLog(build);
  const log = new BuilderLog({ tell, tailLines: settings.logLines, onFull: () => {} });
  const produced = await runBuiltin(build, (line) => {
    file?.write(Buffer.from(`${line}\n`));
    log.addLine(line);
  });
  log.finish();
  file?.finish();
  const onMessage = (message: string): void => tell({ kind: 'warning', message });
  return await finishOutputs({
    request,
    store,
    produced,
    rewrites: new Map(),
    buildUid: undefined,
    settings,
    signal,
    onMessage,
  });
}

/** @returns where each output lies that is wanted, if it was made, by name. */
async function runBuiltin(build: BuildBase, onLine: (line: string) => void): Promise<ReadonlyMap<string, string>> {
  const { request, context, store, drvPath } = build;
  const { derivation } = request;
  const name = derivation.builder.slice(PREFIX.length);
  if (!Object.hasOwn(BUILTINS, name)) {
    throw new BuildError(`'${drvPath}' wants the unknown builder '${derivation.builder}'`, {
      failure: { status: 'permanentFailure' },
      hint: `known: ${Object.keys(BUILTINS)
        .map((each) => PREFIX + each)
        .join(', ')}`,
    });
  }
  const paths = outputPaths(request);
  const { storeDir } = store;
  const { inputRewrites } = makeScratchOutputs({
    storeDir,
    drvPath: request.drvPath,
    outputs: paths,
    redirected: new Set(),
  });
  const dir = join(request.staging, 'outputs');
  await mkdir(dir);
  const outputs = new Map(Array.from(paths, ([output, path]) => [output, join(dir, path)] as const));
  await BUILTINS[name]!({
    derivation,
    env: new Map(Array.from(derivation.env, ([key, value]) => [key, rewriteText(value, inputRewrites)] as const)),
    outputs,
    realPath: (fullPath) => {
      const { path, rest } = parseWithin(storeDir, fullPath);
      return store.realPath(path) + rest;
    },
    settings: context.settings,
    signal: context.signal,
    log: onLine,
    onDownloaded: (bytes) => context.progress.addDownloaded(bytes),
    downloadLimit: context.downloadLimit,
  });
  return new Map(request.outputs.map((output) => [output.name, outputs.get(output.name)!]));
}

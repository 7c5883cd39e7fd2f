/**
 * The build of one derivation on this machine, from its request to outputs that are ready to be registered.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, startBuild, unprepareBuild.
 */
import { encodeError } from '../errors.ts';
import { printStorePath } from '../formats/store-path.ts';
import type { BuildReply, BuildRequest } from '../pool/messages.ts';
import type { JobContext } from '../pool/serve.ts';
import type { LocalStore } from '../stores/local-store.ts';
import { buildByBuiltin, isBuiltin } from './build-by-builtin.ts';
import { buildByProgram } from './build-by-program.ts';

/** @throws {BuildError} where the derivation cannot be built. */
export async function buildDerivation(
  request: BuildRequest,
  store: LocalStore,
  context: JobContext,
): Promise<BuildReply> {
  const startTime = now();
  const base = { request, context, store, drvPath: printStorePath(store.storeDir, request.drvPath) };
  const { outputs, failure } = isBuiltin(request.derivation) ? await buildByBuiltin(base) : await buildByProgram(base);
  return { outputs, ...(failure && { failure: encodeError(failure) }), startTime, stopTime: now() };
}

function now(): number {
  return Math.floor(Date.now() / 1_000);
}

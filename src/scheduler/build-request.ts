/**
 * What {@link Scheduler.build} can be asked for, and its text: `PATH`, `DRV^out,dev`, `DRV^*`; with `!` in place of `^`,
 * as protocols have it. A path may stand without the store directory.
 *
 * Source: Nix 2.35 libstore/derived-path.cc, outputs-spec.cc.
 */
import { FormatError } from '../errors.ts';
import { isDerivationPath } from '../formats/derivation-hash.ts';
import { quote } from '../formats/quote.ts';
import { checkPathName, parseBaseName, parseStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { Need, WantedOutputs } from '../goals/goal.ts';
import type { BuildMode } from '../pool/messages.ts';
import type { GoalRequest } from './goal-runner.ts';

export type BuildRequest =
  | { readonly path: StorePath }
  | { readonly drvPath: StorePath; readonly outputs: WantedOutputs };

/** @throws {FormatError} on what is no store path. */
export function parsePath(storeDir: StoreDir, text: string): StorePath {
  return text.startsWith('/') ? parseStorePath(storeDir, text) : parseBaseName(text);
}

/** @throws {FormatError} on a path that is none, and on outputs of what is no derivation. */
export function parseBuildRequest(storeDir: StoreDir, text: string): BuildRequest {
  const mark = text.search(/[\^!]/);
  if (mark < 0) return { path: parsePath(storeDir, text) };
  const drvPath = parsePath(storeDir, text.slice(0, mark));
  if (!isDerivationPath(drvPath)) {
    throw new FormatError('derived path', mark, `outputs of ${quote(drvPath)}, which is no derivation`);
  }
  const names = text.slice(mark + 1);
  if (names === '*') return { drvPath, outputs: 'all' };
  const outputs = [...new Set(names.split(','))].sort();
  for (const name of outputs) checkPathName(name);
  return { drvPath, outputs };
}

/** The goal that a request is about. */
export function needOf(request: BuildRequest, mode: BuildMode): GoalRequest {
  if ('drvPath' in request) {
    const { drvPath, outputs } = request;
    return { kind: 'outputs', drvPath, outputs: outputs === 'all' ? outputs : outputs.toSorted(), mode } satisfies Need;
  }
  return mode === 'repair' ? { kind: 'repairOrBuild', path: request.path } : { kind: 'path', path: request.path };
}

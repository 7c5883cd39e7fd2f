/** What every build has to do with, whoever the builder is. */
import type { StorePath } from '../formats/store-path.ts';
import type { BuildRequest } from '../pool/messages.ts';
import type { JobContext } from '../pool/serve.ts';
import { type BuildLogFile, openLogFile } from '../stores/build-log/log-file.ts';
import type { LocalStore } from '../stores/local-store.ts';

export interface BuildBase {
  readonly request: BuildRequest;
  readonly context: JobContext;
  readonly store: LocalStore;
  /** The derivation, with the store directory. */
  readonly drvPath: string;
}

/** Where all that the builder prints is kept; undefined where it is not. */
export function openBuildLog({ request, store, context }: BuildBase): BuildLogFile | undefined {
  const { keepBuildLog, compressBuildLog: compress } = context.settings;
  return keepBuildLog ? openLogFile(store.logDir, request.drvPath, { compress }) : undefined;
}

/** The paths of all outputs, by name. */
export function outputPaths({ derivation }: BuildRequest): ReadonlyMap<string, StorePath> {
  return new Map(Array.from(derivation.outputs, ([name, { path }]) => [name, path] as const));
}

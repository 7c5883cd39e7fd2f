/**
 * The environment of a builder: the same variables whoever builds, and those of the derivation.
 *
 * Source: Nix 2.35 manual, "Building"; libstore/unix/build/derivation-builder.cc, initEnv.
 */
import { availableParallelism } from 'node:os';
import type { BasicDerivation } from '../formats/derivation.ts';
import type { DerivationOptions } from '../formats/derivation-options.ts';
import type { StoreDir } from '../formats/store-path.ts';
import type { Settings } from '../settings.ts';

/** Set, so that nobody looks for files of the user; and missing. */
export const HOME_DIR = '/homeless-shelter';

export interface EnvironmentInput {
  readonly storeDir: StoreDir;
  readonly derivation: BasicDerivation;
  readonly options: DerivationOptions;
  readonly settings: Settings;
  /** The build directory, as the builder sees it. */
  readonly buildDir: string;
  /** What comes from the derivation: its variables, and the names of files that stand for some. */
  readonly variables: ReadonlyMap<string, string>;
  /** Of this process: where variables come from that may differ from machine to machine. */
  readonly hostEnv: NodeJS.ProcessEnv;
}

/** Whether an output is known by its contents: the builder may then use the network, and some variables of the host. */
export function isFixed({ outputs }: BasicDerivation): boolean {
  return outputs.values().some(({ contentAddress }) => contentAddress !== undefined);
}

/** The variables of a builder. Later ones win, in Nix's order. */
export function makeEnvironment(input: EnvironmentInput): Map<string, string> {
  const { storeDir, derivation, options, settings, buildDir, variables, hostEnv } = input;
  const fixed = isFixed(derivation);
  return new Map([
    // Shells have a default of their own where it is not set.
    ['PATH', '/path-not-set'],
    ['HOME', HOME_DIR],
    ['NIX_STORE', storeDir],
    ['NIX_BUILD_CORES', String(settings.cores === 0 ? availableParallelism() : settings.cores)],
    ...variables,
    ...['NIX_BUILD_TOP', 'TMPDIR', 'TEMPDIR', 'TMP', 'TEMP', 'PWD'].map((name) => [name, buildDir] as const),
    ...(fixed ? [['NIX_OUTPUT_CHECKED', '1'] as const] : []),
    ...(fixed ? options.impureEnvVars.map((name) => [name, hostEnv[name] ?? ''] as const) : []),
    ['NIX_LOG_FD', '2'],
    ['TERM', 'xterm-256color'],
  ]);
}

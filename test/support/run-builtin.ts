/** Runs builders that are part of the program on derivations of a store of stock Nix. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BUILTINS } from '../../src/build/builtins/builtins.ts';
import type { BuiltinContext } from '../../src/build/builtins/context.ts';
import { finishOutputs } from '../../src/build/outputs/finish-outputs.ts';
import { type BasicDerivation, parseDerivation } from '../../src/formats/derivation.ts';
import type { PathInfo } from '../../src/formats/path-info.ts';
import { parseBaseName, parseStoreDir } from '../../src/formats/store-path.ts';
import { makeSettings, type Settings } from '../../src/settings.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';

export interface RunOptions {
  readonly settings?: Partial<Settings>;
  readonly signal?: AbortSignal;
}

export interface BuiltinRun {
  readonly log: string[];
  downloaded: number;
}

/** A context for a derivation, whose only output is to be made at `out`. */
export function builtinContext(
  derivation: Partial<BasicDerivation> & Pick<BasicDerivation, 'builder' | 'env'>,
  out: string,
  { settings, signal }: RunOptions = {},
  told: BuiltinRun = { log: [], downloaded: 0 },
): BuiltinContext {
  return {
    derivation: {
      name: 'test',
      outputs: new Map(),
      inputSrcs: [],
      system: 'builtin',
      args: [],
      ...derivation,
    },
    env: derivation.env,
    outputs: new Map([['out', out]]),
    realPath: (path) => path,
    settings: makeSettings({ buildUsersGroup: '', ...settings }),
    signal: signal ?? new AbortController().signal,
    log: (line) => void told.log.push(line),
    onDownloaded: (bytes) => {
      told.downloaded += bytes;
    },
  };
}

/**
 * Builds what a derivation says, in a directory of its own, and says what would be registered.
 *
 * @param drv - with the store directory, where it lies.
 */
export async function buildWithBuiltin(
  drv: string,
  staging: string,
  options: RunOptions = {},
): Promise<PathInfo & BuiltinRun> {
  const storeDir = parseStoreDir(dirname(drv));
  const drvPath = parseBaseName(basename(drv));
  const derivation = parseDerivation(storeDir, basename(drv).slice(33, -4), readFileSync(drv));
  const told: BuiltinRun = { log: [], downloaded: 0 };
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeTree(staging));
  const out = join(staging, 'out');
  await BUILTINS[derivation.builder.replace(/^builtin:/, '')]!(builtinContext(derivation, out, options, told));
  const valid = readdirSync(storeDir).filter((name) => /^[0-9a-z]{32}-/.test(name) && !name.endsWith('.lock'));
  const { outputs, failure } = await finishOutputs({
    request: {
      store: 'local',
      drvPath,
      derivation,
      inputPaths: valid.map(parseBaseName),
      graphs: {},
      outputs: [{ name: 'out', path: derivation.outputs.get('out')!.path }],
      staging,
      mode: 'normal',
    },
    store: { storeDir, realStoreDir: storeDir },
    produced: new Map([['out', out]]),
    rewrites: new Map(),
    buildUid: undefined,
    settings: makeSettings(),
    signal: new AbortController().signal,
  });
  if (failure !== undefined) throw failure;
  return { ...outputs[0]!.info, ...told };
}

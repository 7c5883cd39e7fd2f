/** A store for `sluice build`, with derivations of small shell scripts in it: no stock Nix, no sandbox. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStoreDir, printStorePath, type StoreDir, type StorePath } from '../../src/formats/store-path.ts';
import { type CliResult, runCli } from './cli.ts';
import { addDerivations, type DerivationSpec, type MadeDerivation, makeDerivation } from './derivations.ts';
import { openTestStore, temporaryDirectory } from './local-store.ts';

export interface CommandBuilds {
  /** The directory that all is in. */
  readonly dir: string;
  readonly storeDir: StoreDir;
  readonly uri: string;
  /** Adds a derivation that `/bin/sh` builds. */
  add(name: string, script: string, spec?: Partial<DerivationSpec>): Promise<MadeDerivation>;
  /** With the store directory. */
  full(path: StorePath): string;
  /** `sluice build ARGS` in that store. */
  build(...args: readonly string[]): Promise<CliResult>;
  /** Any other command. */
  run(command: string, ...args: readonly string[]): Promise<CliResult>;
}

export async function openCommandBuilds(resources: AsyncDisposableStack): Promise<CommandBuilds> {
  const dir = await temporaryDirectory(resources);
  const storeDir = parseStoreDir(join(dir, 'store'));
  await mkdir(join(dir, 'var'));
  const uri = `local?store=${storeDir}&real=${storeDir}&state=${dir}/var&log=${dir}/log`;
  const store = await openTestStore(uri, resources, { fsyncMetadata: false, fsyncStorePaths: false });
  const SETTINGS = ['--no-sandbox', '--build-users-group', '', '--no-fsync-metadata', '--no-fsync-store-paths'];
  const run = (command: string, ...args: readonly string[]): Promise<CliResult> =>
    runCli([command, '--store', uri, '--no-substitute', ...SETTINGS, '--worker-threads', '1', ...args]);
  return {
    dir,
    storeDir,
    uri,
    add: async (name, script, spec = {}) => {
      const made = makeDerivation({ name, args: ['-c', script], storeDir, ...spec });
      await addDerivations(store, made);
      return made;
    },
    full: (path) => printStorePath(storeDir, path),
    build: (...args) => run('build', ...args),
    run,
  };
}

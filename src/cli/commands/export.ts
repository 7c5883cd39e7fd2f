/** `sluice export`: writes store objects into one stream: that of `nix-store --export`, or a tarball. */
import { Option } from 'commander';
import { InvalidPathError, UsageError } from '../../errors.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { referencesFirst } from '../../formats/references-first.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import { exportPaths } from '../../stores/export/export-paths.ts';
import { LocalStore } from '../../stores/local-store.ts';
import { openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import { queryClosure } from '../closure.ts';
import type { Cli, CommandModule } from '../command.ts';
import { openNarInfos } from '../narinfos.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { readText } from '../read-text.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly closure?: boolean;
  readonly recursive?: boolean;
  readonly format: 'nix' | 'tar';
  /** Of `--no-registration`. */
  readonly registration: boolean;
  readonly stdin?: boolean;
}

/** A million store paths. */
const MAX_INPUT = 256 * 1024 * 1024;

export const exportCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, or symlinks to them')
      .option('--store <uri>', 'the store that has them; a binary cache will do', storeUri, 'local')
      .option('-r, --closure', 'export all that they refer to as well')
      .addOption(new Option('--recursive', 'the same').hideHelp())
      .addOption(
        new Option('--format <format>', 'nix, for import, or tar, for machines without Nix: always with all references')
          .choices(['nix', 'tar'])
          .default('nix'),
      )
      .option('--no-registration', 'with tar: leave out nix-path-registration, which nix-store --load-db reads')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => run(args, options, cli));
  },
};

const EXAMPLES = `
Paths come after those they refer to, whatever order they are given in. What is not what was registered is not exported:
then the exit code is 1, and what was written until then is of no use. A tarball of the same paths has the same bytes
wherever it is made. Unpacked at /, it puts them into the store directory, of which it says nothing itself.

Examples:
  sluice export --closure /nix/store/…-hello-2.12.1 > hello.closure
  sluice export --format tar ./result | ssh host tar -x -C /
  sluice export --store https://cache.nixos.org --format tar /nix/store/…-hello-2.12.1 | gzip -n > hello.tar.gz`;

async function run(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  using narInfoCache = openNarInfos(cli);
  await using store = await openStore(options.store, cli.settings, { narInfoCache });
  const paths = await readPaths(args, options, cli, store);
  const { reporter, signal } = await cli.startWork();
  await protect(store, paths);
  const recursive = options.closure === true || options.recursive === true || options.format === 'tar';
  const infos = await queryPaths(store, paths, { recursive, signal });
  const sink = (chunk: Uint8Array): Promise<void> => cli.stdout.write(chunk);
  const onPath = ({ path }: PathInfo): void => {
    reporter.say('talkative', `exporting '${printStorePath(store.storeDir, path)}'`);
  };
  if (options.format === 'nix') return await exportPaths(store, infos, sink, { signal, onPath });
  const { tarPaths } = await import('../../stores/export/tar-paths.ts');
  await tarPaths(store, infos, sink, { signal, onPath, registration: options.registration });
}

async function readPaths(args: readonly string[], { stdin }: Options, cli: Cli, store: Store): Promise<StorePath[]> {
  const words = stdin ? (await readText(cli.stdin, MAX_INPUT)).split(/\s+/).filter((word) => word !== '') : [];
  if (args.length === 0 && !stdin) throw new UsageError('no store paths are given');
  const paths = new Set<StorePath>();
  for (const text of [...args, ...words]) paths.add(await followLinksToStore(store.storeDir, text));
  return [...paths];
}

/** Nobody collects them, nor what they refer to, while they are read. */
async function protect(store: Store, paths: readonly StorePath[]): Promise<void> {
  if (store instanceof LocalStore && (await store.open()).writable) await store.addTempRoots(paths);
}

/** What is known of the paths, references first. */
async function queryPaths(
  store: Store,
  paths: readonly StorePath[],
  { recursive, signal }: { readonly recursive: boolean; readonly signal: AbortSignal },
): Promise<PathInfo[]> {
  const infos = await (store instanceof LocalStore && recursive
    ? store.queryClosure(paths, undefined, { signal })
    : queryClosure(store, paths, { recursive }));
  for (const path of recursive ? [...paths, ...[...infos.values()].flatMap(({ references }) => references)] : paths) {
    if (!infos.has(path)) throw new InvalidPathError(printStorePath(store.storeDir, path), store.uri);
  }
  return referencesFirst([...infos.keys()], infos, () => true).map((path) => infos.get(path)!);
}

/** `sluice add`: copies files into a store; `nix store add-path`, `nix store add-file`, `nix-store --add` and so on. */
import { Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { printContentAddress } from '../../formats/content-address.ts';
import { HASH_ALGORITHMS, type HashAlgorithm, printHash } from '../../formats/hash.ts';
import { printStorePath } from '../../formats/store-path.ts';
import { pathToAdd } from '../../stores/add-path.ts';
import { ADD_METHODS, type AddMethod } from '../../stores/addition.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly name?: string;
  readonly mode: AddMethod;
  readonly flat?: boolean;
  readonly recursive?: boolean;
  readonly hashAlgo: HashAlgorithm;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const addCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<paths...>', 'files and directories')
      .option('--store <uri>', 'the local store to add to', storeUri, 'local')
      .option('-n, --name <name>', "name of the store path; by default the file's own")
      .addOption(new Option('--mode <mode>', 'what is hashed').choices(ADD_METHODS).default('nar'))
      .option('--flat', 'the same as --mode flat: the contents of one file, whether it is executable or not')
      .addOption(new Option('--recursive', 'the same as --mode nar').hideHelp())
      .addOption(new Option('--hash-algo <name>', 'what it is hashed with').choices(HASH_ALGORITHMS).default('sha256'))
      .option('--dry-run', 'print the store path, and add nothing')
      .option('--json', 'print an array of objects')
      .addHelpText('after', EXAMPLES)
      .action((paths: readonly string[], options: Options) => add(paths, options, cli));
  },
};

const EXAMPLES = `
The store path follows from what is added: the same contents have the same path, and are added once. It is not a root:
'sluice root add' makes it one.

Examples:
  sluice add ./src
  sluice add --name hello-2.12.1.tar.gz --flat --hash-algo sha256 ./download
  sluice add --store /tmp/store --json ./src`;

async function add(paths: readonly string[], options: Options, cli: Cli): Promise<void> {
  const { name, hashAlgo: algorithm, json } = options;
  if (name !== undefined && paths.length > 1) throw new UsageError("'--name' goes with one path only");
  if (options.flat && options.recursive) throw new UsageError("'--flat' and '--recursive' exclude each other");
  const method = options.flat ? 'flat' : options.mode;
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const { reporter, signal } = await cli.startWork();
  using _reporter = reporter;
  const rows: Readonly<Record<string, unknown>>[] = [];
  for (const path of paths) {
    const how = { name, method, algorithm, signal };
    const info = await (options.dryRun ? pathToAdd(store.storeDir, path, how) : store.addPath(path, how));
    const shown = printStorePath(store.storeDir, info.path);
    if (!json) await cli.stdout.write(`${shown}\n`);
    rows.push({
      path: shown,
      ca: printContentAddress(info.contentAddress!),
      narHash: printHash(info.narHash, 'sri'),
      narSize: info.narSize,
    });
  }
  if (json) await cli.stdout.write(`${JSON.stringify(rows)}\n`);
}

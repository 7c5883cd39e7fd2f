/** `sluice derivation`: derivations as JSON, shown and added; `nix derivation show` and `nix derivation add`. */
import { type Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { type Derivation, printDerivation } from '../../formats/derivation.ts';
import { derivationPath, fillOutputs, isDerivationPath, isFixed } from '../../formats/derivation-hash.ts';
import {
  DERIVATION_JSON_FORMATS,
  type DerivationJsonFormat,
  printDerivationsJson,
} from '../../formats/derivation-json.ts';
import { parseDerivationJson } from '../../formats/derivation-json-parse.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { closureInfosOf, derivationOf } from '../query/questions.ts';
import { readText } from '../read-text.ts';
import { storeUri } from '../store-uri.ts';

interface ShowOptions {
  readonly store: string;
  readonly recursive?: boolean;
  readonly jsonFormat: DerivationJsonFormat;
}

interface AddOptions {
  readonly store: string;
  readonly dryRun?: boolean;
}

/** In bytes. */
const MAX_INPUT = 64 * 1024 * 1024;

export const derivationCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', EXAMPLES);
    withStore(command.command('show'), 'the local store that has them')
      .description('print derivations as JSON')
      .argument('<paths...>', 'derivations, or what was made by one')
      .option('-r, --recursive', 'with all derivations that they need')
      .addOption(
        new Option('--json-format <version>', 'how they are printed; 2.8 is the form without a version')
          .choices(DERIVATION_JSON_FORMATS)
          .default('4'),
      )
      .action((paths: readonly string[], options: ShowOptions) => show(paths, options, cli));
    withStore(command.command('add'), 'the local store to add it to')
      .description('read a derivation as JSON from the standard input, add it to a store, and print its path')
      .option('--dry-run', 'print the path, and add nothing')
      .action((options: AddOptions) => add(options, cli));
  },
};

const EXAMPLES = `
Paths of outputs that are left out are filled in; others must be right. All forms that Nix has had are read.

Examples:
  sluice derivation show /nix/store/…-hello-2.12.1.drv
  sluice derivation show --json-format 2.8 -r ./result
  sluice derivation add < hello.json`;

function withStore(command: Command, what: string): Command {
  return command.option('--store <uri>', what, storeUri, 'local');
}

async function show(args: readonly string[], options: ShowOptions, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const { reporter, signal } = await cli.startWork();
  using _reporter = reporter;
  const paths = await Promise.all(args.map((word) => followLinksToStore(store.storeDir, word)));
  const named: StorePath[] = [];
  for (const path of paths) named.push(await derivationOf(store, path));
  const all = options.recursive ? [...(await closureInfosOf(store, named)).keys()].filter(isDerivationPath) : named;
  const derivations = new Map<StorePath, Derivation>();
  for (const path of [...new Set(all)].sort()) derivations.set(path, await store.readDerivation(path, { signal }));
  await cli.stdout.write(`${printDerivationsJson(store.storeDir, derivations, options.jsonFormat)}\n`);
}

async function add({ store: uri, dryRun }: AddOptions, cli: Cli): Promise<void> {
  const text = await readText(cli.stdin, MAX_INPUT);
  if (text.trim() === '') throw new UsageError('there is no derivation on the standard input');
  await using store = await openLocalStoreAt(uri, cli.settings);
  const { storeDir } = store;
  const { reporter, signal } = await cli.startWork();
  using _reporter = reporter;
  const draft = parseDerivationJson(storeDir, text);
  const inputs = [...draft.inputDrvs.keys()];
  if (!dryRun) await store.addTempRoots(inputs, { signal });
  const inputHash = await store.hashDerivations(isFixed(draft) ? [] : inputs, { signal });
  const derivation = fillOutputs(storeDir, draft, inputHash);
  const path = derivationPath(storeDir, derivation);
  if (!dryRun) {
    const references = [...derivation.inputSrcs, ...inputs];
    await store.addTextToStore(`${derivation.name}.drv`, printDerivation(storeDir, derivation), references, { signal });
  }
  await cli.stdout.write(`${printStorePath(storeDir, path)}\n`);
}

/** `sluice store`: describes a store, and takes what its database knows out and in, as `nix-store --dump-db` and `--load-db`. */
import { printRegistration, type Registration } from '../../formats/validity-registration.ts';
import { openLocalStoreAt, openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { openNarInfos } from '../narinfos.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { infosOf } from '../query/questions.ts';
import { writeLines } from '../query/write-lines.ts';
import { describeStore, descriptionLines } from '../store/describe-store.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly json?: boolean;
}

export const storeCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', EXAMPLES);
    command
      .command('info')
      .summary('print where a store is and what it holds; fails where it cannot be used')
      .option('--store <uri>', 'the store', storeUri, 'local')
      .option('--json', 'print an object')
      .action((options: Options) => info(options, cli));
    command
      .command('dump-db')
      .summary('print which paths are valid, with hashes and references, for load-db')
      .argument('[paths...]', 'store paths, or symlinks that lead to them; without any, all that are valid')
      .option('--store <uri>', 'the store', storeUri, 'local')
      .action((paths: readonly string[], options: Options) => dumpDb(paths, options, cli));
    command
      .command('load-db')
      .summary('make paths valid whose files are there already, as dump-db printed them; reads the standard input')
      .option('--store <uri>', 'the local store', storeUri, 'local')
      .option('--json', 'print how many there were as an object')
      .action((options: Options) => loadDb(options, cli));
  },
};

const EXAMPLES = `
What load-db is told it believes: 'sluice verify' compares it with the files. It takes all of the text or nothing.

Examples:
  sluice store info --store https://cache.nixos.org
  sluice store dump-db > registration
  sluice store load-db --store /mnt < registration`;

async function info({ store: uri, json }: Options, cli: Cli): Promise<void> {
  using narInfoCache = openNarInfos(cli);
  await using store = await openStore(uri, cli.settings, { narInfoCache });
  const description = await describeStore(store);
  if (json) await cli.stdout.write(`${JSON.stringify(description)}\n`);
  else await writeLines(cli.stdout, descriptionLines(description));
}

async function dumpDb(args: readonly string[], { store: uri }: Options, cli: Cli): Promise<void> {
  if (args.length === 0) {
    await using store = await openLocalStoreAt(uri, cli.settings);
    for await (const page of store.readRegistrations()) await cli.stdout.write(printAll(store, page));
    return;
  }
  using narInfoCache = openNarInfos(cli);
  await using store = await openStore(uri, cli.settings, { narInfoCache });
  const paths = await Promise.all(args.map((arg) => followLinksToStore(store.storeDir, arg)));
  const infos = await infosOf(store, paths);
  await cli.stdout.write(
    printAll(
      store,
      paths.map((path) => infos.get(path)!),
    ),
  );
}

function printAll({ storeDir }: Store, registrations: readonly Registration[]): string {
  return registrations.map((registration) => printRegistration(storeDir, registration)).join('');
}

async function loadDb({ store: uri, json }: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(uri, cli.settings);
  const result = await store.loadRegistrations(cli.stdin); // Ctrl-C just ends it: all is in one transaction
  const { reporter } = await cli.startWork();
  const { added, changed, absent } = result;
  if (json) await cli.stdout.write(`${JSON.stringify(result)}\n`);
  reporter.say('info', `${added} paths have become valid, ${changed} have changed`);
  if (absent === 0) return;
  const hint = "hint: 'sluice verify' lists them";
  reporter.say('warn', `warning: of ${absent} of these paths nothing is in '${store.realStoreDir}'\n${hint}`);
}

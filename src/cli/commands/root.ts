/** `sluice root`: adds roots of the collector, and lists them. */
import { InvalidPathError } from '../../errors.ts';
import { printStorePath } from '../../formats/store-path.ts';
import { findRoots } from '../../scheduler/find-roots.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

export const rootCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', EXAMPLES);
    command
      .command('add')
      .summary('make a symlink to a store path, and keep that for as long as the symlink is there')
      .argument('<link>', 'file name of the symlink; one that leads into the store is replaced')
      .argument('<path>', 'store path, or what leads to one; it must be valid')
      .option('--store <uri>', 'the local store', storeUri, 'local')
      .action((link: string, path: string, options: Options) => add(link, path, options, cli));
    command
      .command('list')
      .summary('print what keeps paths, as LINK -> PATH')
      .option('--store <uri>', 'the local store', storeUri, 'local')
      .option('--all', 'also what programs use that run, and what other processes are working on')
      .option('--json', 'print an array of objects')
      .action((options: Options) => list(options, cli));
  },
};

const EXAMPLES = `
Examples:
  sluice root add ./result /nix/store/…-hello-2.12.1
  sluice root list --all`;

async function add(link: string, text: string, options: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const path = await followLinksToStore(store.storeDir, text);
  await store.addTempRoots([path]); // no collector takes it between the question and the answer
  if (!(await store.isValidPath(path))) throw new InvalidPathError(printStorePath(store.storeDir, path), store.uri);
  await cli.stdout.write(`${await store.addIndirectRoot(link, path)}\n`);
}

async function list(options: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const { reporter, signal } = await cli.startWork();
  const onMessage = (text: string): void => reporter.say('info', text);
  const found = await findRoots({ store, settings: cli.settings, onMessage, signal });
  const rows = found
    .filter(({ kind }) => options.all || kind === 'permanent')
    .map(({ from, path, kind }) => ({ from, path: printStorePath(store.storeDir, path), kind }));
  const lines = new Set(rows.map(({ from, path }) => `${from} -> ${path}\n`));
  await cli.stdout.write(options.json ? `${JSON.stringify(rows)}\n` : [...lines].sort().join(''));
}

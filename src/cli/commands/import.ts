/** `sluice import`: makes valid what a stream of `sluice export` holds; `nix-store --import`. */
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import { importPaths } from '../../stores/export/import-paths.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly json?: boolean;
}

export const importCommand: CommandModule = {
  configure(command, cli) {
    command
      .option('--store <uri>', 'the local store to import into', storeUri, 'local')
      .option('--json', 'print an array of objects, which say what was valid before')
      .addHelpText('after', EXAMPLES)
      .action((options: Options) => run(options, cli));
  },
};

const EXAMPLES = `
Prints the paths at the end, one a line, also those that were valid before. Whatever they refer to must be valid, or come
before them. Where the stream is cut off, what came whole stays valid.

Such a stream has no signatures: as with nix-store, whoever may write to the store is trusted, whatever require-sigs says.

Examples:
  sluice import < hello.closure
  ssh host sluice export --closure /nix/store/…-hello-2.12.1 | sluice import`;

async function run({ store: uri, json }: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(uri, cli.settings);
  const { reporter, signal } = await cli.startWork();
  const print = (path: StorePath): string => printStorePath(store.storeDir, path);
  const imported = new Map<StorePath, boolean>();
  await importPaths(store, cli.stdin, {
    signal,
    onImported: ({ path, wasValid }) => {
      if (!imported.has(path)) imported.set(path, wasValid);
      reporter.say('talkative', `${wasValid ? 'valid already' : 'imported'}: '${print(path)}'`);
    },
  });
  if (json) {
    const rows = Array.from(imported, ([path, wasValid]) => ({ path: print(path), wasValid }));
    await cli.stdout.write(`${JSON.stringify(rows)}\n`);
  } else await cli.stdout.write([...imported.keys()].map((path) => `${print(path)}\n`).join(''));
}

/** `sluice repair`: fetches again what is missing or modified of store paths; `nix store repair`. */
import { Scheduler } from '../../scheduler/scheduler.ts';
import type { Cli, CommandModule } from '../command.ts';
import { Failures } from '../failures.ts';
import { addStoreUri, storeUri } from '../store-uri.ts';
import { finishTransfers, type PathOptions, printResultsJson, printValidPaths, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly json?: boolean;
  readonly store: string;
  readonly substituter?: readonly string[];
  readonly from?: readonly string[];
}

export const repairCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full')
      .option('--store <uri>', 'the local store to repair them in', storeUri, 'local')
      .option('--substituter <uri>', 'a store to fetch from; several are tried in order', addStoreUri)
      .option('--from <uri>', 'the same as --substituter', addStoreUri)
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print how each path ended, as JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => repair(args, options, cli));
  },
};

const EXAMPLES = `
Each path is read first, and left alone where it is what was registered. What is fetched must have the registered hash:
no signature is needed then. What the paths refer to is not looked at. Prints the paths that are good in the end, one a
line; the exit code is 1 where one is not.

Examples:
  sluice repair /nix/store/…-hello-2.12.1
  sluice repair --store /tmp/store --substituter file:///srv/cache /nix/store/…-hello-2.12.1`;

async function repair(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  const given = [...(options.substituter ?? []), ...(options.from ?? [])];
  const substituters = given.length > 0 ? given : undefined;
  const { settings, narInfoCache } = cli;
  await using scheduler = await Scheduler.open({ store: options.store, substituters, settings, narInfoCache });
  const { store, events } = scheduler;
  const paths = await readPaths(args, options, cli, store.storeDir);
  const work = await cli.startWork();
  work.reporter.follow(events, {
    storeDir: store.storeDir,
    to: store.uri,
    sources: scheduler.substituters.length,
  });
  const failures = new Failures(store.storeDir, events);
  const results = await scheduler.repair(paths, { signal: work.signal });
  finishTransfers(results, failures, work, cli);
  if (options.json) await printResultsJson(results, store.storeDir, cli.stdout);
  else await printValidPaths(results, store.storeDir, cli.stdout);
}

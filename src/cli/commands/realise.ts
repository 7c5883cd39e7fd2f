/** `sluice realise`: makes paths valid in a local store, from substituters. */
import { Scheduler } from '../../scheduler/scheduler.ts';
import type { CommandModule } from '../command.ts';
import { Failures } from '../failures.ts';
import { addStoreUri, storeUri } from '../store-uri.ts';
import { openTrace, TRACE_HELP } from '../trace/open-trace.ts';
import { finishTransfers, type PathOptions, printResultsJson, printValidPaths, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly json?: boolean;
  readonly store: string;
  readonly substituter?: readonly string[];
  readonly from?: readonly string[];
  readonly trace?: string;
}

export const realiseCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full')
      .option('--store <uri>', 'the local store to make them valid in', storeUri, 'local')
      .option('--substituter <uri>', 'a store to fetch from; several are tried in order', addStoreUri)
      .option('--from <uri>', 'the same as --substituter', addStoreUri)
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print how each path ended as JSON')
      .option('--trace <file>', TRACE_HELP)
      .addHelpText('after', EXAMPLES)
      .action(async (args: readonly string[], options: Options) => {
        const given = [...(options.substituter ?? []), ...(options.from ?? [])];
        const substituters = given.length > 0 ? given : undefined;
        using trace = openTrace(options.trace);
        const { settings } = cli;
        await using scheduler = await Scheduler.open({ store: options.store, substituters, settings, expected: args });
        const { store, events } = scheduler;
        const paths = await readPaths(args, options, cli, store.storeDir);
        const work = await cli.startWork();
        const failures = new Failures(store.storeDir, events);
        work.reporter.follow(events, { storeDir: store.storeDir, to: store.uri });
        trace?.follow(events, store);
        const results = await scheduler.realise(paths, { signal: work.signal });
        finishTransfers(results, failures, work, cli);
        if (options.json) await printResultsJson(results, store.storeDir, cli.stdout);
        else await printValidPaths(results, store.storeDir, cli.stdout);
        trace?.finish(work.reporter);
      });
  },
};

const EXAMPLES = `
Prints the paths that are valid in the end, one a line. The exit code is 1 where one is not.

Examples:
  sluice realise /nix/store/…-hello-2.12.1
  sluice realise --store /tmp/store --substituter file:///srv/cache --no-require-sigs /nix/store/…-hello-2.12.1
  sluice realise --from https://cache.example.org --trusted-public-keys 'cache.example.org-1:…' --stdin < paths
  sluice realise --trace trace.json /nix/store/…-hello-2.12.1    # then https://ui.perfetto.dev, Open trace file`;

/** `sluice realise`: makes paths valid in a local store, from substituters. */
import { Option } from 'commander';
import type { StoreDir } from '../../formats/store-path.ts';
import type { MissingPaths } from '../../scheduler/query-missing.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';
import type { Cli, CommandModule, Work } from '../command.ts';
import { Failures } from '../failures.ts';
import { describeMissing, missingToJson } from '../missing.ts';
import { PROVENANCE_HELP, Provenance } from '../provenance.ts';
import { addStoreUri, storeUri } from '../store-uri.ts';
import { openTrace, TRACE_HELP } from '../trace/open-trace.ts';
import { finishTransfers, type PathOptions, printResultsJson, printValidPaths, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly provenance?: string;
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
      .option('--dry-run', 'show what would be fetched, and fetch nothing')
      .option('--json', 'print how each path ended, or with --dry-run what would be fetched, as JSON')
      .option('--trace <file>', TRACE_HELP)
      .addOption(new Option('--provenance <file>', PROVENANCE_HELP).conflicts('dryRun'))
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => realise(args, options, cli));
  },
};

const EXAMPLES = `
Prints the paths that are valid in the end, one a line. The exit code is 1 where one is not.

Examples:
  sluice realise /nix/store/…-hello-2.12.1
  sluice realise --store /tmp/store --substituter file:///srv/cache --no-require-sigs /nix/store/…-hello-2.12.1
  sluice realise --from https://cache.example.org --trusted-public-keys 'cache.example.org-1:…' --stdin < paths
  sluice realise --dry-run /nix/store/…-hello-2.12.1
  sluice realise --provenance fetched.jsonl /nix/store/…-hello-2.12.1
  sluice realise --trace trace.json /nix/store/…-hello-2.12.1    # then https://ui.perfetto.dev, Open trace file`;

async function realise(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  const given = [...(options.substituter ?? []), ...(options.from ?? [])];
  const substituters = given.length > 0 ? given : undefined;
  using trace = openTrace(options.trace);
  using provenance = options.provenance === undefined ? undefined : new Provenance(options.provenance);
  const { settings, narInfoCache } = cli;
  const expected = options.dryRun ? undefined : args;
  await using scheduler = await Scheduler.open({
    store: options.store,
    substituters,
    settings,
    narInfoCache,
    expected,
  });
  const { store, events } = scheduler;
  const paths = await readPaths(args, options, cli, store.storeDir);
  const work = await cli.startWork();
  work.reporter.follow(events, {
    storeDir: store.storeDir,
    to: store.uri,
    sources: scheduler.substituters.length,
  });
  if (options.dryRun) return showMissing(await scheduler.queryMissing(paths, work), options, store.storeDir, work, cli);
  const failures = new Failures(store.storeDir, events);
  trace?.follow(events, store);
  provenance?.follow(events, store);
  const results = await scheduler.realise(paths, { signal: work.signal });
  finishTransfers(results, failures, work, cli);
  if (options.json) await printResultsJson(results, store.storeDir, cli.stdout);
  else await printValidPaths(results, store.storeDir, cli.stdout);
  trace?.finish(work.reporter);
  provenance?.finish();
}

/** Like Nix, on the standard error, and with exit code 0 whatever is missing. */
async function showMissing(
  missing: MissingPaths,
  { json }: Options,
  storeDir: StoreDir,
  { reporter }: Work,
  { stdout }: Cli,
): Promise<void> {
  if (json) return stdout.write(`${JSON.stringify(missingToJson(missing, storeDir))}\n`);
  const text = describeMissing(missing, storeDir);
  if (text !== '') reporter.say('notice', text);
}

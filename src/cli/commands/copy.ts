/** `sluice copy`: copies closures into a local store, a binary cache, or a store behind a daemon or ssh. */
import { EventEmitter } from 'eventemitter3';
import { UsageError } from '../../errors.ts';
import { referencesFirst } from '../../formats/references-first.ts';
import type { StorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents } from '../../goals/events.ts';
import { copyClosure } from '../../scheduler/copy-closure.ts';
import { copyToRemote } from '../../scheduler/copy-to-remote.ts';
import { type RealiseResult, Scheduler } from '../../scheduler/scheduler.ts';
import { BinaryCacheStore } from '../../stores/binary-cache-store.ts';
import { LocalStore } from '../../stores/local-store.ts';
import { openStore } from '../../stores/open-store.ts';
import { isRemoteStore } from '../../stores/remote-store.ts';
import type { Store } from '../../stores/store.ts';
import { queryClosure } from '../closure.ts';
import type { Cli, CommandModule, Work } from '../command.ts';
import { Failures } from '../failures.ts';
import { openNarInfos } from '../narinfos.ts';
import type { Route } from '../progress/reporter.ts';
import { PROVENANCE_HELP, Provenance } from '../provenance.ts';
import { storeUri } from '../store-uri.ts';
import { openTrace, TRACE_HELP } from '../trace/open-trace.ts';
import { finishTransfers, type PathOptions, printResultsJson, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly json?: boolean;
  readonly from?: string;
  readonly to?: string;
  /** False with `--no-check-sigs`. */
  readonly checkSigs: boolean;
  readonly provenance?: string;
  readonly trace?: string;
}

export const copyCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full')
      .option('--from <uri>', 'the store that has them (default: local)', storeUri)
      .option('--to <uri>', 'the store to copy them to (default: local)', storeUri)
      .option('--no-check-sigs', 'copy into a local store what no trusted key has signed')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print how each path ended as JSON')
      .option('--trace <file>', TRACE_HELP)
      .option('--provenance <file>', PROVENANCE_HELP)
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => copy(args, options, cli));
  },
};

const EXAMPLES = `
Prints nothing where all goes well. The exit code is 1 where a path could not be copied.

Examples:
  sluice copy --from https://cache.nixos.org --to /tmp/store /nix/store/…-hello-2.12.1
  sluice copy --to 'file:///srv/cache?compression=zstd' /nix/store/…-hello-2.12.1
  sluice copy --to 'https://cache.example.org?secret-key=/etc/nix/key' /nix/store/…-hello-2.12.1
  sluice copy --to ssh-ng://builder.example.org /nix/store/…-hello-2.12.1
  sluice copy --from /tmp/store --to /tmp/other --no-check-sigs /nix/store/…-hello-2.12.1`;

async function copy(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  if (options.from === undefined && options.to === undefined) {
    throw new UsageError('copying needs --from, --to, or both');
  }
  using trace = openTrace(options.trace);
  using provenance = options.provenance === undefined ? undefined : new Provenance(options.provenance);
  using narInfoCache = openNarInfos(cli);
  await using from = await openStore(options.from ?? 'local', cli.settings, { narInfoCache });
  // Without: what the destination is remembered to have may be gone from it, and would not be copied.
  await using to = await openStore(options.to ?? 'local', cli.settings);
  const paths = await readPaths(args, options, cli, from.storeDir);
  const work = await cli.startWork();
  const followers = [trace, provenance].filter((follower) => follower !== undefined);
  const { results, failures } = await copyPaths(
    { from, to, paths, checkSigs: options.checkSigs, followers },
    work,
    cli,
  );
  finishTransfers(results, failures, work, cli);
  if (options.json) await printResultsJson(results, from.storeDir, cli.stdout);
  trace?.finish(work.reporter);
  provenance?.finish();
}

interface Copy {
  readonly from: Store;
  readonly to: Store;
  readonly paths: readonly StorePath[];
  readonly checkSigs: boolean;
  readonly followers: readonly { follow(events: EventEmitter<SchedulerEvents>, route: Route): void }[];
}

interface Copied {
  readonly results: readonly RealiseResult[];
  readonly failures: Failures;
}

async function copyPaths({ from, to, paths, checkSigs, followers }: Copy, work: Work, cli: Cli): Promise<Copied> {
  const { reporter, signal } = work;
  const route = { storeDir: from.storeDir, to: to.uri };
  if (to instanceof LocalStore) {
    // Whoever names the source wants it to be used, whatever else is substituted.
    const settings = { ...cli.settings, substitute: true, requireSigs: checkSigs && cli.settings.requireSigs };
    await using scheduler = await Scheduler.open({ store: to, substituters: [from], settings });
    const failures = new Failures(route.storeDir, scheduler.events);
    for (const each of [reporter, ...followers]) each.follow(scheduler.events, route);
    return { results: await scheduler.realise(paths, { signal }), failures };
  }
  if (to instanceof BinaryCacheStore) {
    const events = new EventEmitter<SchedulerEvents>();
    const failures = new Failures(route.storeDir, events);
    for (const each of [reporter, ...followers]) each.follow(events, route);
    return { results: await copyClosure({ from, to, paths, settings: cli.settings, events, signal }), failures };
  }
  if (isRemoteStore(to)) {
    const events = new EventEmitter<SchedulerEvents>();
    const failures = new Failures(route.storeDir, events);
    for (const each of [reporter, ...followers]) each.follow(events, route);
    const infos = await queryClosure(from, paths, { recursive: true });
    const closure = referencesFirst(
      paths.filter((path) => infos.has(path)),
      infos,
      () => true,
    ).map((path) => infos.get(path)!);
    const { settings } = cli;
    return { results: await copyToRemote({ from, to, paths, closure, checkSigs, settings, events, signal }), failures };
  }
  throw new UsageError(`cannot copy to '${to.uri}'`, {
    hint: 'the destination must be a local store, a binary cache, or one behind a daemon or ssh',
  });
}

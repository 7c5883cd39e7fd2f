/** `sluice build`: makes outputs of derivations valid in a local store, by substituting or building them. */
import { Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { isDerivationPath } from '../../formats/derivation-hash.ts';
import { type DerivedPath, parseDerivedPath } from '../../formats/derived-path.ts';
import { printStorePath, type StoreDir } from '../../formats/store-path.ts';
import type { BuildMode } from '../../pool/messages.ts';
import { exitStatusOf } from '../../scheduler/build-outcome.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';
import { buildOutcomesToJson, validOutputs, withPath } from '../build-outcomes.ts';
import type { Cli, CommandModule, Work } from '../command.ts';
import { Failures } from '../failures.ts';
import { describeMissing, missingToJson } from '../missing.ts';
import { outLinks } from '../out-links.ts';
import { readText } from '../read-text.ts';
import { addStoreUri, storeUri } from '../store-uri.ts';
import { openTrace, TRACE_HELP } from '../trace/open-trace.ts';

interface Options {
  readonly store: string;
  readonly substituter?: readonly string[];
  readonly from?: readonly string[];
  readonly stdin?: boolean;
  readonly dryRun?: boolean;
  readonly check?: boolean;
  readonly rebuild?: boolean;
  readonly repair?: boolean;
  readonly outLink?: string;
  readonly printBuildLogs?: boolean;
  readonly json?: boolean;
  readonly trace?: string;
}

/** A hundred thousand derivations. */
const MAX_INPUT = 64 * 1024 * 1024;

export const buildCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[derivations...]', 'DRV, DRV^out,dev or DRV^* (or with ! for ^); other store paths are substituted')
      .option('--store <uri>', 'the local store to build in', storeUri, 'local')
      .option('--substituter <uri>', 'a store to fetch from; several are tried in order', addStoreUri)
      .option('--from <uri>', 'the same as --substituter', addStoreUri)
      .option('--stdin', 'read what to build from the standard input as well, with white space between')
      .option('-o, --out-link <prefix>', 'make symlinks to the outputs, which keep them from being collected')
      .option('-L, --print-build-logs', 'print all that builders print, beside the live display, too')
      .option('--dry-run', 'show what would be built and fetched, and do nothing')
      .addOption(
        new Option('--check', 'build what is there once more, and see whether it comes out the same').conflicts(
          'repair',
        ),
      )
      .addOption(new Option('--rebuild', 'the same as --check').conflicts('repair'))
      .option('--repair', 'make outputs anew whose contents are not what they should be')
      .option('--json', 'print how each derivation ended, or with --dry-run what would be done, as JSON')
      .option('--trace <file>', TRACE_HELP)
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => build(args, options, cli));
  },
};

const EXAMPLES = `
Prints the outputs that are valid in the end, one a line. The exit code is 1 where one is not; where a build failed it is
100, or 101 for one that took too long, 102 for a fixed output with other contents, 104 for one that --check found to
come out differently (several of them: their bits together).

Examples:
  sluice build /nix/store/…-hello-2.12.1.drv
  sluice build '/nix/store/…-openssl-3.0.drv^bin,dev' -o result -j4
  nix-instantiate release.nix | sluice build --stdin --keep-going --json
  sluice build --dry-run /nix/store/…-hello-2.12.1.drv
  sluice build --check --keep-failed /nix/store/…-hello-2.12.1.drv`;

async function build(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  const given = [...(options.substituter ?? []), ...(options.from ?? [])];
  using trace = openTrace(options.trace);
  const { settings, narInfoCache } = cli;
  await using scheduler = await Scheduler.open({
    store: options.store,
    substituters: given.length > 0 ? given : undefined,
    settings,
    narInfoCache,
  });
  const { store, events } = scheduler;
  const { storeDir } = store;
  const requests = await readRequests(args, options, cli, storeDir);
  const work = await cli.startWork();
  work.reporter.follow(events, {
    storeDir,
    to: store.uri,
    sources: scheduler.substituters.length,
    printBuildLogs: options.printBuildLogs,
  });
  if (options.dryRun) return await showMissing(scheduler, requests, options, work, cli);
  const failures = new Failures(storeDir, events, settings.keepBuildLog ? options.store : undefined);
  trace?.follow(events, store);
  const outcomes = await scheduler.build(requests, { mode: modeOf(options), signal: work.signal });
  if (options.outLink !== undefined) {
    for (const [link, path] of outLinks(
      options.outLink,
      outcomes.map((outcome) => ({ outputs: validOutputs(outcome) })),
    )) {
      await store.addIndirectRoot(link, path);
    }
  }
  work.reporter.summarise();
  for (const text of failures.describe(outcomes.map(withPath), cli)) work.reporter.say('error', text);
  cli.exitCode = exitStatusOf(outcomes);
  if (options.json) await cli.stdout.write(`${JSON.stringify(buildOutcomesToJson(outcomes, storeDir))}\n`);
  else {
    const paths = new Set(outcomes.flatMap((outcome) => [...validOutputs(outcome).values()]));
    await cli.stdout.write(Array.from(paths, (path) => `${printStorePath(storeDir, path)}\n`).join(''));
  }
  trace?.finish(work.reporter);
}

/** What is asked for, each once. A derivation alone stands for its outputs. */
async function readRequests(
  args: readonly string[],
  { stdin }: Options,
  cli: Cli,
  storeDir: StoreDir,
): Promise<DerivedPath[]> {
  const words = stdin ? (await readText(cli.stdin, MAX_INPUT)).split(/\s+/).filter((word) => word !== '') : [];
  const texts = new Set([...args, ...words]);
  if (texts.size === 0 && !stdin) {
    throw new UsageError('nothing to build is given', { hint: `write it in full: ${storeDir}/HASH-NAME.drv` });
  }
  return Array.from(texts, (text) => {
    const request = parseDerivedPath(storeDir, text);
    const isDerivation = request.kind === 'opaque' && isDerivationPath(request.path);
    return isDerivation ? { kind: 'built', path: request.path, outputs: 'all' } : request;
  });
}

function modeOf({ check, rebuild, repair }: Options): BuildMode {
  return check || rebuild ? 'check' : repair ? 'repair' : 'normal';
}

async function showMissing(
  scheduler: Scheduler,
  requests: readonly DerivedPath[],
  { json }: Options,
  { reporter, signal }: Work,
  { stdout }: Cli,
): Promise<void> {
  const { storeDir } = scheduler.store;
  const missing = await scheduler.queryMissing(requests, { signal });
  if (json) return await stdout.write(`${JSON.stringify(missingToJson(missing, storeDir))}\n`);
  const text = describeMissing(missing, storeDir);
  if (text !== '') reporter.say('notice', text);
}

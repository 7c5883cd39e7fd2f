/** `sluice optimise`: hard-links equal files of a store; `nix store optimise` and `nix-store --optimise`. */
import type { StorePath } from '../../formats/store-path.ts';
import { optimiseStore } from '../../scheduler/optimise-store.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { describeError } from '../describe-error.ts';
import { storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly store: string;
  readonly json?: boolean;
}

export const optimiseCommand: CommandModule = {
  configure(command, cli) {
    command
      .alias('optimize')
      .argument('[paths...]', 'store paths, in full; all valid paths where there are none')
      .option('--store <uri>', 'the local store to optimise', storeUri, 'local')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print the result as JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => optimise(args, options, cli));
  },
};

const EXAMPLES = `
Of files with the same contents one is kept, and the others become hard links to it. Setting auto-optimise-store does
that for each path that is added. It can be stopped at any time, and goes on where it was.

Examples:
  sluice optimise
  sluice optimise --store /tmp/store --json`;

async function optimise(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const isPartial = args.length > 0 || options.stdin === true;
  const paths: readonly StorePath[] | undefined = isPartial
    ? await readPaths(args, options, cli, store.storeDir)
    : undefined;
  const { reporter, signal } = await cli.startWork();
  using _reporter = reporter;
  const { filesLinked, bytesFreed, problems } = await optimiseStore({
    store,
    paths,
    settings: cli.settings,
    signal,
    onProgress: ({ bytesRead, ...view }) => reporter.showCheck({ verb: 'optimise', ...view, narBytes: bytesRead }),
    onMessage: (message) => reporter.say('warn', `warning: ${message}`),
  });
  reporter[Symbol.dispose]();
  for (const problem of problems) reporter.say('error', describeError(problem, cli));
  if (problems.length > 0) cli.exitCode = 1;
  reporter.say('notice', `${(bytesFreed / 2 ** 20).toFixed(2)} MiB freed by hard-linking ${filesLinked} files`);
  if (options.json) await cli.stdout.write(`${JSON.stringify({ filesLinked, bytesFreed })}\n`);
}

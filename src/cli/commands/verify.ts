/** `sluice verify`: checks that what a local store calls valid is there, and unchanged. */
import { printStorePath } from '../../formats/store-path.ts';
import { verifyStore } from '../../scheduler/verify-store.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { describeError } from '../describe-error.ts';
import { countPaths } from '../progress/units.ts';
import { storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly store: string;
  /** False with `--no-contents`. */
  readonly contents: boolean;
  readonly json?: boolean;
}

export const verifyCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full; all valid paths where there are none')
      .option('--store <uri>', 'the local store to check', storeUri, 'local')
      .option('--no-contents', 'only look whether each path is there, do not read it')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print what was checked and what is wrong as JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => verify(args, options, cli));
  },
};

const EXAMPLES = `
Nothing is changed in the store. The exit code is 1 where something is wrong.

Examples:
  sluice verify
  sluice verify --store /tmp/store --no-contents
  sluice verify --json /nix/store/…-hello-2.12.1`;

async function verify(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const isPartial = args.length > 0 || options.stdin === true;
  const paths = isPartial ? await readPaths(args, options, cli, store.storeDir) : undefined;
  const { reporter, signal } = await cli.startWork();
  const { checked, problems } = await verifyStore({
    store,
    paths,
    contents: options.contents,
    settings: cli.settings,
    signal,
    onProgress: (view) => reporter.showCheck(view),
    onProblem: ({ problem }) => reporter.say('error', describeError(problem, cli)),
  });
  reporter[Symbol.dispose]();
  const found = problems.length === 0 ? 'nothing is wrong' : `${problems.length} wrong`;
  reporter.say('notice', `checked ${countPaths(checked)}: ${found}`);
  if (problems.length > 0) cli.exitCode = 1;
  if (options.json) {
    const list = problems.map(({ path, problem: { code, message } }) => ({
      path: printStorePath(store.storeDir, path),
      code,
      message,
    }));
    await cli.stdout.write(`${JSON.stringify({ checked, problems: list })}\n`);
  }
}

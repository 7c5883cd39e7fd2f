/**
 * `sluice verify`: checks that what a local store calls valid is there, unchanged and signed, and repairs it;
 * `nix-store --verify` and `nix store verify`.
 */
import { UsageError } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';
import { exitCodeOf, type VerifyProblem } from '../../scheduler/verify-problems.ts';
import { type VerifyResult, verifyStore } from '../../scheduler/verify-store.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import { openLocalStoreAt, openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import type { Cli, CommandModule, Work } from '../command.ts';
import { describeError } from '../describe-error.ts';
import { countPaths } from '../progress/units.ts';
import { addStoreUri, storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly store: string;
  /** False with `--no-contents`. */
  readonly contents: boolean;
  /** False with `--no-trust`. */
  readonly trust: boolean;
  readonly sigsNeeded: number;
  readonly substituter?: readonly string[];
  readonly repair?: boolean;
  readonly json?: boolean;
}

export const verifyCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'store paths, in full; all valid paths where there are none')
      .option('--store <uri>', 'the local store to check', storeUri, 'local')
      .option('--no-contents', 'only look whether each path is there, do not read it')
      .option('--no-trust', 'do not look for signatures')
      .option('-n, --sigs-needed <n>', 'how many different trusted keys must have signed each path', parseCount, 0)
      .option('-s, --substituter <uri>', 'a store whose signatures count, and that repairs are from', addStoreUri)
      .option('--repair', 'fetch again what is missing or modified')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print what was checked and what is wrong as JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => verify(args, options, cli));
  },
};

const EXAMPLES = `
A path needs one signature by a trusted key, unless it was built here or its name follows from its contents. Without
--repair nothing is changed in the store. With it, missing paths that nothing refers to are made invalid where the whole
store is checked, as Nix does; all else is fetched from substituters, and only what has the registered hash is taken.

The exit code adds up what is still wrong: 1 where contents are, 2 where signatures are missing, 4 where it could not be
found out.

Examples:
  sluice verify
  sluice verify --store /tmp/store --no-contents
  sluice verify --repair --substituter https://cache.example.org
  sluice verify --json --sigs-needed 2 /nix/store/…-hello-2.12.1`;

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`'--sigs-needed' wants a number, got '${text}'`);
  return Number(text);
}

async function verify(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const store = resources.use(await openLocalStoreAt(options.store, cli.settings));
  const isPartial = args.length > 0 || options.stdin === true;
  const paths = isPartial ? await readPaths(args, options, cli, store.storeDir) : undefined;
  const work = await cli.startWork();
  const { reporter, signal } = work;
  const result = await verifyStore({
    store,
    paths,
    contents: options.contents,
    trust: options.trust ? await trustOptions(options, work, cli, resources) : undefined,
    repair: options.repair ? await openRepair(store, options, work, cli, resources) : undefined,
    settings: cli.settings,
    signal,
    onProgress: (view) => reporter.showCheck(view),
    onProblem: (found) => tellProblem(found, work, cli),
    onRemedy: (found) => tellRemedy(found, work, cli),
    onMessage: (text) => reporter.say('talkative', text),
  });
  reporter[Symbol.dispose]();
  reporter.say('notice', summary(result));
  cli.exitCode = exitCodeOf(result.problems);
  if (options.json) await printJson(result, cli);
}

async function trustOptions(options: Options, { reporter, signal }: Work, cli: Cli, resources: AsyncDisposableStack) {
  const substituters: Store[] = [];
  for (const uri of options.substituter ?? []) substituters.push(resources.use(await openStore(uri, cli.settings)));
  return {
    trustedPublicKeys: cli.settings.trustedPublicKeys,
    sigsNeeded: options.sigsNeeded,
    substituters,
    signal,
    onFailure: (error: Error) => reporter.say('warn', `warning: ${error.message}`),
  };
}

/** @returns what repairs one path; the others go on where it fails. */
async function openRepair(
  store: LocalStore,
  { substituter }: Options,
  { reporter, signal }: Work,
  { settings, narInfoCache }: Cli,
  resources: AsyncDisposableStack,
) {
  const scheduler = resources.use(
    await Scheduler.open({
      store,
      substituters: substituter,
      settings: { ...settings, keepGoing: true },
      narInfoCache,
    }),
  );
  scheduler.events.on('substituterFailed', ({ substituter, error }) =>
    reporter.say('warn', `warning: '${substituter}': ${error.message}`),
  );
  return async (path: StorePath) => (await scheduler.repair([path], { signal }))[0]!;
}

function tellProblem({ problem, remedy, shown }: VerifyProblem, { reporter }: Work, cli: Cli): void {
  if (remedy === undefined) reporter.say('error', describeError(problem, cli));
  else reporter.say('notice', `path '${shown}' disappeared, removed from the database`);
}

function tellRemedy({ remedy, shown, failure }: VerifyProblem, { reporter }: Work, cli: Cli): void {
  if (remedy === 'repaired') reporter.say('notice', `repaired path '${shown}'`);
  else if (remedy === 'deleted') reporter.say('notice', `removed link '${shown}'`);
  else if (failure !== undefined) reporter.say('error', describeError(failure, cli));
}

function summary({ checked, problems }: VerifyResult): string {
  const mended = problems.filter(({ remedy }) => remedy !== undefined).length;
  const found =
    problems.length === 0
      ? 'nothing is wrong'
      : mended === 0
        ? `${problems.length} wrong`
        : `${problems.length} wrong, ${mended === problems.length ? 'all' : mended} mended`;
  return `checked ${countPaths(checked)}: ${found}`;
}

async function printJson({ checked, problems }: VerifyResult, { stdout }: Cli): Promise<void> {
  const list = problems.map(({ kind, shown, problem: { code, message }, remedy, failure }) => ({
    path: shown,
    kind,
    code,
    message,
    remedy,
    failure: failure && { code: failure.code, message: failure.message },
  }));
  await stdout.write(`${JSON.stringify({ checked, problems: list })}\n`);
}

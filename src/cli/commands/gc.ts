/** `sluice gc`: deletes what no root keeps, or says what that is; `nix-store --gc` and `nix-store --delete`. */
import { UsageError } from '../../errors.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { type CollectOptions, collectGarbage, findGarbage } from '../../scheduler/collect-garbage.ts';
import { findRoots } from '../../scheduler/find-roots.ts';
import type { Refusal } from '../../stores/gc/survey.ts';
import type { LocalStore } from '../../stores/local-store.ts';
import { openLocalStoreAt } from '../../stores/open-store.ts';
import type { Cli, CommandModule, Work } from '../command.ts';
import { describeError } from '../describe-error.ts';
import { formatBytes } from '../progress/units.ts';
import { storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly store: string;
  readonly dryRun?: boolean;
  readonly printRoots?: boolean;
  readonly printLive?: boolean;
  readonly printDead?: boolean;
  readonly maxFreed?: number;
  readonly delete?: boolean;
  readonly ignoreLiveness?: boolean;
  readonly json?: boolean;
}

export const gcCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('[paths...]', 'with --delete: store paths, in full')
      .option('--store <uri>', 'the local store to collect', storeUri, 'local')
      .option('--dry-run', 'print what would be deleted, and delete nothing')
      .option('--print-roots', 'print what keeps paths, as LINK -> PATH')
      .option('--print-live', 'print what is alive')
      .option('--print-dead', 'print what is not')
      .option('--max-freed <size>', 'stop after that many bytes; 500M and 2G will do', parseSize)
      .option('--delete', 'delete these paths and nothing else, if nothing keeps them')
      .option('--ignore-liveness', 'with --delete: whatever roots say; still not what a path refers to that stays')
      .option('--stdin', 'with --delete: read paths from the standard input as well, with white space between them')
      .option('--json', 'print the result as JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => run(args, options, cli));
  },
};

const EXAMPLES = `
Roots are the symlinks below gcroots and profiles, what programs use that run, and what other Nix and Sluice processes
are working on. The exit code is 1 where a path was refused, with what keeps it, or could not be deleted.

Examples:
  sluice gc --dry-run
  sluice gc --max-freed 10G
  sluice gc --delete /nix/store/…-hello-2.12.1`;

const UNITS = ' KMGT';
/** What a number of bytes has at most. */
const SIZE = /^(\d{1,15})([KMGT]?)$/i;

function parseSize(text: string): number {
  const [, digits, unit] = SIZE.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`'--max-freed' wants a size such as 500M, got '${text}'`);
  return Number(digits) * 1024 ** UNITS.indexOf(unit?.toUpperCase() || ' ');
}

async function run(args: readonly string[], options: Options, cli: Cli): Promise<void> {
  checkOptions(args, options);
  await using store = await openLocalStoreAt(options.store, cli.settings);
  const paths = options.delete ? await readPaths(args, options, cli, store.storeDir) : undefined;
  const work = await cli.startWork();
  using reporter = work.reporter;
  const { maxFreed, ignoreLiveness } = options;
  const { signal } = work;
  const onMessage = (text: string): void => reporter.say('info', text);
  const collect = { store, settings: cli.settings, paths, ignoreLiveness, maxFreed, signal, onMessage };
  if (options.printRoots) await printRoots(collect, options, cli);
  else if (options.printLive || options.printDead || options.dryRun) await printGarbage(collect, options, work, cli);
  else await deleteGarbage(collect, options, work, cli);
}

function checkOptions(args: readonly string[], options: Options): void {
  const { printRoots, printLive, printDead, delete: only } = options;
  if ([printRoots, printLive, printDead, only].filter(Boolean).length > 1) {
    throw new UsageError(
      "only one of '--print-roots', '--print-live', '--print-dead' and '--delete' can be had at once",
    );
  }
  if (!only && (args.length > 0 || options.stdin)) {
    throw new UsageError('paths are taken with --delete only', { hint: "'sluice gc' collects the whole store" });
  }
  if (!only && options.ignoreLiveness) throw new UsageError("'--ignore-liveness' goes with '--delete' only");
}

async function printRoots(options: CollectOptions, { json }: Options, { stdout }: Cli): Promise<void> {
  const { storeDir } = options.store;
  const roots = await findRoots(options);
  const rows = roots.map(({ from, path, kind }) => ({ from, path: printStorePath(storeDir, path), kind }));
  if (json) {
    await stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  const lines = new Map(rows.map((row) => [`${row.from} -> ${row.path}\n`, row]));
  const sorted = [...lines].sort(([, a], [, b]) => compare(a.from, b.from) || compare(a.path, b.path));
  await stdout.write(sorted.map(([line]) => line).join(''));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function printGarbage(collect: CollectOptions, options: Options, { reporter }: Work, cli: Cli): Promise<void> {
  const { storeDir } = collect.store;
  const { live, dead, deadSize, refused } = await findGarbage(collect);
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const listed = (options.printLive ? live : dead).map(print);
  if (options.dryRun) {
    reporter.say('notice', `${countStorePaths(dead.length)} would be deleted, of ${formatBytes(deadSize)}`);
  }
  if (options.json)
    await writeJson(cli, { paths: listed, bytes: options.printLive ? undefined : deadSize }, refused, storeDir);
  else await cli.stdout.write(listed.map((path) => `${path}\n`).join(''));
  refuse(refused, collect.store, reporter, cli);
}

async function deleteGarbage(collect: CollectOptions, options: Options, { reporter }: Work, cli: Cli): Promise<void> {
  const paths: string[] = [];
  const onDeleted = (path: string): void => {
    reporter.say('info', `deleting '${path}'`);
    if (options.json) paths.push(path);
  };
  const { deleted, bytesFreed, saved, refused, problems } = await collectGarbage({ ...collect, onDeleted });
  reporter.say('info', `note: currently hard linking saves ${mebibytes(saved)}`);
  for (const problem of problems) reporter.say('error', describeError(problem, cli));
  if (problems.length > 0) cli.exitCode = 1;
  if (options.json) await writeJson(cli, { paths, bytes: bytesFreed }, refused, collect.store.storeDir);
  else await cli.stdout.write(`${deleted} store paths deleted, ${mebibytes(bytesFreed)} freed\n`);
  refuse(refused, collect.store, reporter, cli);
}

/** As Nix prints it. */
function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}

function countStorePaths(count: number): string {
  return count === 1 ? '1 store path' : `${count} store paths`;
}

function refuse(refused: readonly Refusal[], { storeDir }: LocalStore, reporter: Work['reporter'], cli: Cli): void {
  for (const refusal of refused) reporter.say('error', `error: ${describeRefusal(refusal, storeDir)}`);
  if (refused.length > 0) cli.exitCode = 1;
}

function describeRefusal({ path, root, way }: Refusal, storeDir: StoreDir): string {
  const shown = printStorePath(storeDir, path);
  const chain = way.map((each) => `\n  -> ${printStorePath(storeDir, each)}`).join('');
  if (root !== undefined)
    return `cannot delete path '${shown}' since it is still alive; what keeps it is\n  ${root}${chain}`;
  return `cannot delete path '${shown}' since something else refers to it, or was made from it${chain}`;
}

async function writeJson(
  { stdout }: Cli,
  result: { readonly paths: readonly string[]; readonly bytes: number | undefined },
  refused: readonly Refusal[],
  storeDir: StoreDir,
): Promise<void> {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const shown = refused.map(({ path, root, way }) => ({ path: print(path), root, way: way.map(print) }));
  await stdout.write(`${JSON.stringify({ ...result, ...(refused.length > 0 && { refused: shown }) })}\n`);
}

/** `sluice bench`: measures how fast a store delivers, with more and more under way at once. */
import { access, constants, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { Option } from 'commander';
import { StoreError } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import { listPaths } from '../bench/list-paths.ts';
import { parseLimit, parseParallelism, parseSize } from '../bench/options.ts';
import { printJson } from '../bench/report.ts';
import { runBench } from '../bench/run.ts';
import { printReport } from '../bench/text.ts';
import type { Cli, CommandModule } from '../command.ts';
import { storeUri } from '../store-uri.ts';
import { type PathOptions, readPaths } from '../transfers.ts';

interface Options extends PathOptions {
  readonly parallelism: readonly number[];
  readonly limit?: number;
  readonly maxSize?: number;
  /** False with `--no-write`. */
  readonly write: boolean;
  readonly tmpDir?: string;
  readonly json?: boolean;
  readonly html?: string;
}

export const benchCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<uri>', 'the store to measure: a binary cache, or a local store', storeUri)
      .argument('[paths...]', 'store paths, in full; what they refer to is measured with them')
      .addOption(
        new Option('--parallelism <list>', 'how many at once, one step for each number')
          .argParser(parseParallelism)
          .default([1, 4, 16, 64], '1,4,16,64'),
      )
      .option('--limit <count>', 'measure at most so many paths', parseLimit)
      .option('--max-size <size>', 'download at most so much in a step, such as 500M', parseSize)
      .option('--no-write', 'download, decompress and hash, but write nothing')
      .option('--tmp-dir <directory>', 'where throw-away stores are made (default: that for temporary files)')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print the results as JSON, with the units in the names')
      .option('--html <file>', 'write a page with plots, which needs nothing but itself')
      .addHelpText('after', ABOUT)
      .action((uri: string, args: readonly string[], options: Options) => bench(uri, args, options, cli));
  },
};

const ABOUT = `
Every step starts anew, with connections and threads of its own, and nothing remembered. It asks for all narinfos, so
many at once, and times each answer; then it transfers all paths, so many at once: into a fresh store that is removed
when the step is over, whatever happens, or nowhere with --no-write. The number stands for max-substitution-jobs and
http-connections, which are the most there may be: a store that is written to gets fewer transfers at once where its
threads are busy with fewer, and column 'reached' says how many there were. Other settings count as for 'sluice realise':
--no-fsync-store-paths shows what durability costs. Signatures need not be trusted here, as nothing is kept (require-sigs
is off); hashes and sizes are checked all the same.

Without paths everything in a file:// cache or a local store is measured. A cache behind HTTP cannot list what it has:
then it is asked for paths that it does not have, 200 or --limit in a step, and nothing is transferred. Every step
fetches everything again: of a cache that is not yours take little, with --limit and --max-size.

--json prints one object: store, date, to ('store', 'nowhere' or 'none'), machine, closure, and steps, of which each has
parallelism, narinfos (queriesPerSecond, latencyMilliseconds.p50, …) and transfers (narBytesPerSecond,
narBytesPerThreadSecond.decode, …). The name of a number says its unit; where it says none, the number is a count.

Examples:
  sluice bench https://cache.nixos.org /nix/store/…-hello-2.12.1
  sluice bench file:///srv/cache --no-write --parallelism 1,2,4,8
  sluice bench https://cache.example.org --stdin --max-size 500M --html bench.html < paths
  sluice bench https://cache.example.org --json`;

async function bench(uri: string, args: readonly string[], options: Options, cli: Cli): Promise<void> {
  const directory = options.write ? resolve(options.tmpDir ?? tmpdir()) : undefined;
  // Not after minutes of work: what is to be written can be.
  const written = [directory, options.html === undefined ? undefined : dirname(resolve(options.html))];
  for (const each of written) if (each !== undefined) await access(each, constants.W_OK);

  await using store = await openStore(uri, cli.settings);
  const isNamed = args.length > 0 || options.stdin === true;
  const named = isNamed ? await readPaths(args, options, cli, store.storeDir) : undefined;
  const work = await cli.startWork();
  const paths = named ?? (await listPaths(store, work.signal));
  if (paths?.length === 0) throw nothingThere(store, named);
  const { limit, maxSize, parallelism } = options;
  const limits = { paths: limit, downloadBytes: maxSize };
  const { report, steps } = await runBench({
    store,
    paths,
    limits,
    parallelism,
    directory,
    settings: cli.settings,
    work,
  });
  work.reporter[Symbol.dispose]();
  if (options.html !== undefined) {
    const { renderPage } = await import('../bench/page/page.ts');
    await writeFile(options.html, renderPage(report, steps));
  }
  await cli.stdout.write(options.json ? printJson(report) : printReport(report));
}

function nothingThere({ uri }: Store, named: readonly StorePath[] | undefined): StoreError {
  if (named !== undefined) return new StoreError('no store paths are on the standard input');
  return new StoreError(`'${uri}' holds no paths`);
}

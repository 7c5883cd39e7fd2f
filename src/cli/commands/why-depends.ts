/** `sluice why-depends`: why a path has another in its closure, as `nix why-depends` shows it. */
import { UsageError } from '../../errors.ts';
import { MentionFinder } from '../../formats/mentions.ts';
import type { PathInfos } from '../../formats/references-first.ts';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import { openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import { verifyNar } from '../../stores/verify-nar.ts';
import type { Cli, CommandModule } from '../command.ts';
import { visitNar } from '../listing.ts';
import { openNarInfos } from '../narinfos.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { closureInfosOf } from '../query/questions.ts';
import { storeUri } from '../store-uri.ts';
import { drawWays, type Mentions } from '../why-depends/drawing.ts';
import { findWays, type Ways } from '../why-depends/ways.ts';

interface Options {
  readonly store: string;
  readonly all?: boolean;
  readonly precise?: boolean;
  readonly json?: boolean;
}

export const whyDependsCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<path>', 'a store path, a file in one, or a symlink that leads there')
      .argument('<dependency>', 'the same, of what it depends on')
      .option('--store <uri>', 'the store that has both', storeUri, 'local')
      .option('-a, --all', 'show all ways from one to the other, and not only a shortest one')
      .option('--precise', 'show which files name the references')
      .option('--json', 'print the paths on a shortest way; with --all an object that has what leads on from each path')
      .addHelpText('after', EXAMPLES)
      .action((path: string, dependency: string, options: Options) => run(path, dependency, options, cli));
  },
};

const EXAMPLES = `
Examples:
  sluice why-depends ./result /nix/store/…-glibc-2.40
  sluice why-depends --all --precise ./result /nix/store/…-gcc-13.3.0`;

async function run(path: string, dependency: string, options: Options, cli: Cli): Promise<void> {
  const { all = false, precise = false } = options;
  if (options.json && precise) throw new UsageError("'--json' and '--precise' cannot be had at once");
  using narInfoCache = openNarInfos(cli);
  await using store = await openStore(options.store, cli.settings, { narInfoCache });
  const from = await followLinksToStore(store.storeDir, path);
  const to = await followLinksToStore(store.storeDir, dependency);
  const infos = await closureInfosOf(store, [from]);
  const ways = findWays(from, to, infos);
  if (options.json) await cli.stdout.write(`${JSON.stringify(ways === undefined ? null : toJson(store, ways, all))}\n`);
  else if (ways === undefined) await sayThatNone(store, from, to, cli);
  else {
    const { isTerminal } = cli.stdout;
    const mentionsOf = precise ? mentionsIn(store, infos) : undefined;
    for await (const line of drawWays(store.storeDir, ways, { all, isTerminal, mentionsOf })) {
      await cli.stdout.write(Buffer.from(`${line}\n`, 'latin1'));
    }
  }
}

async function sayThatNone({ storeDir }: Store, from: StorePath, to: StorePath, cli: Cli): Promise<void> {
  const { reporter } = await cli.startWork();
  const [package_, dependency] = [from, to].map((path) => printStorePath(storeDir, path));
  reporter.say('error', `'${package_}' does not depend on '${dependency}'`);
}

function mentionsIn(
  store: Store,
  infos: PathInfos,
): (path: StorePath, references: readonly StorePath[]) => Promise<Mentions> {
  return async (path, references) => {
    const info = infos.get(path)!;
    const finder = new MentionFinder(references);
    await visitNar(
      verifyNar(store.storeDir, info, (sink) => store.narFromPath(info, sink)),
      finder,
    );
    return finder.found;
  };
}

function toJson({ storeDir }: Store, ways: Ways, all: boolean): unknown {
  const print = (path: StorePath): string => printStorePath(storeDir, path);
  const chain = [ways.from];
  if (!all) {
    while (chain.at(-1) !== ways.to) chain.push(ways.next(chain.at(-1)!)[0]!);
    return chain.map(print);
  }
  const seen = new Set(chain);
  for (const path of seen) for (const reference of ways.next(path)) seen.add(reference);
  return Object.fromEntries([...seen].map((path) => [print(path), ways.next(path).map(print)]));
}

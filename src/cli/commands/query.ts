/** `sluice query`: what a store knows of paths and their graph, as `nix-store --query` prints it. */
import { type Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { openNarInfos } from '../narinfos.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { forceRealise } from '../query/force-realise.ts';
import { bindingKind, QUERY_KINDS, type QueryKind } from '../query/query-kinds.ts';
import { localOnly, outputsOf } from '../query/questions.ts';
import { writeLines } from '../query/write-lines.ts';
import { readWords } from '../read-words.ts';
import { storeUri } from '../store-uri.ts';

interface Options {
  readonly store: string;
  readonly useOutput?: boolean;
  readonly forceRealise?: boolean;
  readonly forceRealize?: boolean;
  readonly includeOutputs?: boolean;
  readonly stdin?: boolean;
  readonly json?: boolean;
}

/** Spellings that nix-store has as well. */
const ALIASES = { '--referers': '--referrers', '--referers-closure': '--referrers-closure' } as const;

export const queryCommand: CommandModule = {
  configure(command, cli) {
    const asked = new Map<QueryKind, string>();
    const binding = new Option('-b, --binding <name>', 'the value of a variable of derivations');
    command.argument('[paths...]', 'store paths, files in them, or symlinks that lead to them');
    addKinds(command, asked);
    command.addOption(binding);
    command.on('option:binding', (name: string) => asked.set(bindingKind(name), '--binding'));
    command
      .option('--store <uri>', 'the store to ask', storeUri, 'local')
      .option('-u, --use-output', 'ask about the outputs of derivations, in their place')
      .option('-f, --force-realise', 'first make the paths valid, and build the outputs of derivations')
      .addOption(new Option('--force-realize').hideHelp())
      .option('--include-outputs', 'with --requisites: also the outputs of derivations')
      .option('--stdin', 'read paths from the standard input as well, with white space between them')
      .option('--json', 'print JSON')
      .addHelpText('after', EXAMPLES)
      .action((args: readonly string[], options: Options) => run(args, [...asked], options, cli));
  },
};

const EXAMPLES = `
Paths come with those they refer to before them. Binary caches can be asked what leads from a path, not what leads to it.

Examples:
  sluice query -R ./result
  sluice query --referrers /nix/store/…-glibc-2.40
  sluice query -Rfu /nix/store/…-hello-2.12.1.drv
  sluice query --tree --store https://cache.nixos.org /nix/store/…-hello-2.12.1`;

function addKinds(command: Command, asked: Map<QueryKind, string>): void {
  for (const kind of QUERY_KINDS) {
    const option = new Option(kind.flags, kind.help);
    command.addOption(option);
    command.on(`option:${option.name()}`, () => asked.set(kind, `--${option.name()}`));
    for (const [alias, flag] of Object.entries(ALIASES)) {
      if (flag !== option.long) continue;
      const hidden = new Option(alias).hideHelp();
      command.addOption(hidden);
      command.on(`option:${hidden.name()}`, () => asked.set(kind, alias));
    }
  }
}

async function run(
  args: readonly string[],
  asked: readonly (readonly [QueryKind, string])[],
  options: Options,
  cli: Cli,
): Promise<void> {
  if (asked.length > 1) {
    throw new UsageError(`only one of ${asked.map(([, flag]) => `'${flag}'`).join(', ')} can be asked at once`);
  }
  const kind = asked[0]?.[0] ?? QUERY_KINDS[0]!;
  using narInfoCache = openNarInfos(cli);
  await using store = await openStore(options.store, cli.settings, { narInfoCache });
  const words = options.stdin ? [...args, ...(await readWords(cli.stdin))] : args;
  if (words.length === 0 && !options.stdin) throw new UsageError('no store paths are given');
  const paths = await Promise.all(words.map((word) => followLinksToStore(store.storeDir, word)));
  const forces = (options.forceRealise || options.forceRealize) && !kind.asNamed;
  if (forces && !(await forceRealise(localOnly(store, '--force-realise'), paths, cli))) return;
  const resolved = options.useOutput ? await resolve(store, paths) : paths;
  const { includeOutputs = false } = options;
  const { lines, json = () => [...lines] } = await kind.ask({
    store,
    paths,
    resolved,
    includeOutputs,
    settings: cli.settings,
  });
  if (options.json) await cli.stdout.write(`${JSON.stringify(json())}\n`);
  else await writeLines(cli.stdout, lines);
}

async function resolve(store: Store, paths: readonly StorePath[]): Promise<StorePath[]> {
  const outputs: StorePath[] = [];
  for (const path of paths) outputs.push(...(await outputsOf(store, path)));
  return outputs;
}

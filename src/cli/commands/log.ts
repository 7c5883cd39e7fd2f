/** `sluice log`: prints the logs of builds, as `nix-store --read-log` and `nix log` do. */
import { StoreError } from '../../errors.ts';
import { printStorePath } from '../../formats/store-path.ts';
import { findBuildLog } from '../../stores/build-log.ts';
import { openStore } from '../../stores/open-store.ts';
import type { Store } from '../../stores/store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { openNarInfos } from '../narinfos.ts';
import { followLinksToStore } from '../query/follow-links.ts';
import { storeUri } from '../store-uri.ts';

export const logCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<paths...>', 'derivations, or what they made; or symlinks that lead there')
      .option('--store <uri>', 'the store that is asked first', storeUri, 'local')
      .addHelpText('after', EXAMPLES)
      .action((paths: readonly string[], options: { readonly store: string }) => run(paths, options, cli));
  },
};

const EXAMPLES = `
Logs that the store does not have are looked for in the substituters.

Examples:
  sluice log ./result
  sluice log --store https://cache.nixos.org /nix/store/…-hello-2.12.1`;

async function run(paths: readonly string[], options: { readonly store: string }, cli: Cli): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const narInfoCache = resources.use(openNarInfos(cli));
  const open = async (uri: string): Promise<Store> =>
    resources.use(await openStore(uri, cli.settings, { narInfoCache }));
  const first = await open(options.store);
  const opened = [first];
  const uris = cli.settings.substitute ? cli.settings.substituters : [];
  async function* stores(): AsyncGenerator<Store> {
    for (let index = 0; index <= uris.length; index++) {
      if (index === opened.length) opened.push(await open(uris[index - 1]!));
      yield opened[index]!;
    }
  }
  for (const path of await Promise.all(paths.map((each) => followLinksToStore(first.storeDir, each)))) {
    if (await findBuildLog(stores(), path, (chunk) => cli.stdout.write(chunk))) continue;
    throw new StoreError(`build log of '${printStorePath(first.storeDir, path)}' is not available`);
  }
}

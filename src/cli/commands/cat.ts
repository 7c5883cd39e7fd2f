/** `sluice cat`: prints a file of a path in any store, by reading its NAR. */
import { openStore } from '../../stores/open-store.ts';
import type { CommandModule } from '../command.ts';
import { printFile } from '../file-printer.ts';
import { openStoreObject } from '../listing.ts';
import { openNarInfos } from '../narinfos.ts';
import { storeUri } from '../store-uri.ts';

export const catCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<path>', 'a file in a store path')
      .option('--store <uri>', 'the store that has it', storeUri, 'local')
      .addHelpText('after', EXAMPLES)
      .action(async (path: string, options: { readonly store: string }) => {
        using narInfoCache = openNarInfos(cli);
        await using store = await openStore(options.store, cli.settings, { narInfoCache });
        const { shown, rest, nar } = await openStoreObject(store, path);
        await printFile(nar, rest, shown, cli.stdout);
      });
  },
};

const EXAMPLES = `
Hash and size of the whole store path are checked; where they are wrong, the exit code is 1 after the file was printed.

Examples:
  sluice cat --store https://cache.nixos.org /nix/store/…-hello-2.12.1/share/info/hello.info`;

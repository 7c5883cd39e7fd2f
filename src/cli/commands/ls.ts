/** `sluice ls`: lists the files of a path in any store, by reading its NAR. */
import { NarLister } from '../../formats/nar-listing.ts';
import { openStore } from '../../stores/open-store.ts';
import type { CommandModule } from '../command.ts';
import { addListingOptions, type ListingOptions, openStoreObject, printListing, visitNar } from '../listing.ts';
import { openNarInfos } from '../narinfos.ts';
import { storeUri } from '../store-uri.ts';

export const lsCommand: CommandModule = {
  configure(command, cli) {
    command
      .argument('<path>', 'a store path, or a file or directory in one')
      .option('--store <uri>', 'the store that has it', storeUri, 'local');
    addListingOptions(command)
      .addHelpText('after', EXAMPLES)
      .action(async (path: string, options: ListingOptions & { readonly store: string }) => {
        using narInfoCache = openNarInfos(cli);
        await using store = await openStore(options.store, cli.settings, { narInfoCache });
        const { shown, rest, nar } = await openStoreObject(store, path);
        const lister = new NarLister();
        await visitNar(nar, lister);
        await printListing(lister.root, rest, shown, options, cli.stdout);
      });
  },
};

const EXAMPLES = `
Examples:
  sluice ls -l --store https://cache.nixos.org /nix/store/…-hello-2.12.1/bin
  sluice ls -lR /nix/store/…-hello-2.12.1
  sluice ls --json -R --store /tmp/store /nix/store/…-hello-2.12.1`;

/** `sluice nar`: Nix archives from and to the file system. */
import { createReadStream } from 'node:fs';
import { NarLister } from '../../formats/nar-listing.ts';
import { dumpNar, NarRestorer } from '../../stores/nar-fs.ts';
import type { NarSource } from '../../stores/store.ts';
import type { Cli, CommandModule } from '../command.ts';
import { printFile } from '../file-printer.ts';
import { addListingOptions, type ListingOptions, printListing, visitNar } from '../listing.ts';

export const narCommand: CommandModule = {
  configure(command, cli) {
    command.addHelpText('after', EXAMPLES);
    command
      .command('dump')
      .description('write the NAR of a file or directory to the standard output')
      .aliases(['pack', 'dump-path'])
      .argument('<path>')
      .action((path: string) => dumpNar(path, (chunk) => cli.stdout.write(chunk)));
    command
      .command('restore')
      .description('unpack the NAR on the standard input')
      .argument('<destination>', 'must not exist yet')
      .action((destination: string) => restore(destination, cli.stdin));
    addListingOptions(
      command
        .command('ls')
        .description('list what a NAR holds')
        .argument('<file>', "the NAR; '-' is the standard input")
        .argument('[path]', 'a file or directory in it', '/'),
    ).action(async (file: string, path: string, options: ListingOptions) => {
      const lister = new NarLister();
      await visitNar(narFromFile(file, cli), lister);
      await printListing(lister.root, path, file, options, cli.stdout);
    });
    command
      .command('cat')
      .description('print a file that a NAR holds')
      .argument('<file>', "the NAR; '-' is the standard input")
      .argument('<path>', 'the file in it')
      .action((file: string, path: string) => printFile(narFromFile(file, cli), path, file, cli.stdout));
  },
};

const EXAMPLES = `
Examples:
  sluice nar dump ./result > result.nar
  sluice nar ls -lR result.nar
  sluice nar cat result.nar /bin/hello > hello
  sluice nar restore ./copy < result.nar`;

async function restore(destination: string, nar: AsyncIterable<Uint8Array>): Promise<void> {
  using restorer = new NarRestorer(destination);
  for await (const chunk of nar) restorer.push(chunk);
  restorer.finish();
}

function narFromFile(file: string, { stdin }: Cli): NarSource {
  return async (sink) => {
    for await (const chunk of file === '-' ? stdin : createReadStream(file)) await sink(chunk as Uint8Array);
  };
}

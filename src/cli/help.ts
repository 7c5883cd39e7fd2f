/** How help looks, and what it says besides what commander knows. */
import { type Command, Help, type HelpConfiguration } from 'commander';
import { flagTerm } from './settings-flags.ts';

/** Follows the help of the program. */
export const EXAMPLES = `
Examples:
  sluice realise --substituter https://cache.nixos.org /nix/store/…-hello-2.12.1
  sluice build /nix/store/…-hello-2.12.1.drv
  sluice copy --from https://cache.nixos.org --to /tmp/store /nix/store/…-hello-2.12.1
  sluice path-info -rsS --store https://cache.nixos.org /nix/store/…-hello-2.12.1
  sluice COMMAND --help

Store URIs: 'local' is the store of this machine; '/some/dir' or 'local?root=/some/dir' one below a directory;
'https://…', 's3://…' and 'file:///…' are binary caches; 'daemon' and 'ssh-ng://HOST' stores behind Nix.`;

/** Follows the help of every command. */
export const FOOTER = "\nCommon options and settings can be given as well; 'sluice --help' lists them.";

export const HELP: HelpConfiguration = {
  optionTerm: flagTerm,
  commandDescription: (command) => sentence(command.description()),
  formatHelp: commandsFirst,
};

/** Help with the commands before the options, of which there are many. */
function commandsFirst(command: Command, help: Help): string {
  const sections = Help.prototype.formatHelp.call(help, command, help).trimEnd().split('\n\n');
  const commands = sections.filter((section) => section.startsWith('Commands:'));
  const others = sections.filter((section) => !commands.includes(section));
  const options = others.findIndex((section) => /^(?:Common options|Options):/.test(section));
  return `${others.toSpliced(options, 0, ...commands).join('\n\n')}\n`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${words.endsWith('.') ? '' : '.'}`;
}

/** `sluice key`: Ed25519 keys that sign store paths, in the form of `nix key`. */
import { randomBytes } from 'node:crypto';
import { UsageError } from '../../errors.ts';
import { makeSecretKey, parseSecretKey, printPublicKey, printSecretKey, publicKeyOf } from '../../formats/signature.ts';
import type { CommandModule, Output } from '../command.ts';
import { readText } from '../read-text.ts';

/** Key files are about a hundred bytes long. */
const MAX_KEY_SIZE = 64 * 1024;

export const keyCommand: CommandModule = {
  configure(command, { stdin, stdout }) {
    command.addHelpText('after', EXAMPLES);
    command
      .command('generate')
      .description('print a new secret key')
      .argument('<name>', 'says whose key it is: a host name and a number, such as cache.example.org-1')
      .action(async (name: string) => print(printSecretKey(await makeSecretKey(name, randomBytes(32))), stdout));
    command
      .command('public')
      .description('print the public key of the secret key on the standard input')
      .action(async () => {
        const text = await readText(stdin, MAX_KEY_SIZE);
        if (text.trim() === '') throw new UsageError('there is no secret key on the standard input');
        await print(printPublicKey(publicKeyOf(parseSecretKey(text))), stdout);
      });
  },
};

const EXAMPLES = `
Examples:
  (umask 077; sluice key generate cache.example.org-1 > secret.key)
  sluice key public < secret.key > public.key`;

/** In a file a key has no newline, as with Nix. */
function print(key: string, stdout: Output): Promise<void> {
  return stdout.write(stdout.isTerminal ? `${key}\n` : key);
}

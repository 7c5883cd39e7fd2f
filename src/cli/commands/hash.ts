/** `sluice hash`: hashes of files and trees, and other spellings of hashes, as `nix hash` has them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import {
  HASH_ALGORITHMS,
  type Hash,
  type HashAlgorithm,
  type HashEncoding,
  parseDigest,
  parseHash,
  printDigest,
  printHash,
} from '../../formats/hash.ts';
import { dumpNar } from '../../stores/nar-fs.ts';
import type { Sink } from '../../stores/store.ts';
import type { CommandModule, Output } from '../command.ts';

/** Also `base32`, as Nix called nix32 for long. */
const FORMATS = ['base16', 'nix32', 'base32', 'base64', 'sri'] as const;
type Format = (typeof FORMATS)[number];

interface HashOptions {
  readonly algo?: HashAlgorithm;
  readonly type?: HashAlgorithm;
  readonly format: Format;
  readonly base16?: boolean;
  readonly nix32?: boolean;
  readonly base32?: boolean;
  readonly base64?: boolean;
}

interface ConvertOptions {
  readonly algo?: HashAlgorithm;
  readonly from?: Format;
  readonly to: Format;
}

export const hashCommand: CommandModule = {
  configure(command, { stdout }) {
    command.addHelpText('after', EXAMPLES);
    addHashOptions(command.command('path').description('hash the NAR of files or directories')).action(
      (paths: readonly string[], options: HashOptions) => printHashes(paths, hashPath, options, stdout),
    );
    addHashOptions(command.command('file').description('hash the contents of files')).action(
      (paths: readonly string[], options: HashOptions) => printHashes(paths, hashFile, options, stdout),
    );
    command
      .command('convert')
      .description('spell hashes in another way')
      .argument('<hashes...>')
      .addOption(algorithmOption('--algo <name>', 'where the hash does not name it'))
      .addOption(formatOption('--from <format>', 'reject hashes in any other'))
      .addOption(formatOption('--to <format>', 'how to spell them').default('sri'))
      .action(async (hashes: readonly string[], options: ConvertOptions) => {
        for (const text of hashes) await stdout.write(`${convert(text, options)}\n`);
      });
  },
};

const EXAMPLES = `
Examples:
  sluice hash path ./src
  sluice hash file --type sha512 --base16 ./archive.tar
  sluice hash convert --to nix32 sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
  sluice hash convert --algo sha1 --to sri da39a3ee5e6b4b0d3255bfef95601890afd80709`;

function addHashOptions(command: Command): Command {
  return command
    .argument('<paths...>')
    .addOption(algorithmOption('--algo <name>', 'the algorithm (default: sha256)'))
    .addOption(algorithmOption('--type <name>', 'the same').hideHelp())
    .addOption(formatOption('--format <format>', 'how to spell hashes').default('sri'))
    .option('--base16', 'the same as --format base16, and so on')
    .option('--nix32')
    .addOption(new Option('--base32').hideHelp())
    .option('--base64')
    .option('--sri');
}

function algorithmOption(flags: string, description: string): Option {
  return new Option(flags, description).choices(HASH_ALGORITHMS);
}

function formatOption(flags: string, description: string): Option {
  return new Option(flags, description).choices(FORMATS);
}

async function printHashes(
  paths: readonly string[],
  hashOf: (algorithm: HashAlgorithm, path: string) => Promise<Hash>,
  options: HashOptions,
  stdout: Output,
): Promise<void> {
  const flag = (['base16', 'nix32', 'base32', 'base64'] as const).find((name) => options[name]);
  for (const path of paths) {
    const hash = await hashOf(options.algo ?? options.type ?? 'sha256', path);
    await stdout.write(`${spell(hash, flag ?? options.format)}\n`);
  }
}

async function hashPath(algorithm: HashAlgorithm, path: string): Promise<Hash> {
  return hashStream(algorithm, (sink) => dumpNar(path, sink));
}

async function hashFile(algorithm: HashAlgorithm, path: string): Promise<Hash> {
  return hashStream(algorithm, async (sink) => {
    for await (const chunk of createReadStream(path)) await sink(chunk as Uint8Array);
  });
}

async function hashStream(algorithm: HashAlgorithm, pour: (sink: Sink) => Promise<void>): Promise<Hash> {
  const hash = createHash(algorithm);
  await pour((chunk) => void hash.update(chunk));
  return { algorithm, digest: hash.digest() };
}

function convert(text: string, { algo, from, to }: ConvertOptions): string {
  const hash = algo === undefined ? parseHash(text) : parseDigest(algo, text);
  if (from !== undefined && !isSpelled(text, hash, encodingOf(from))) {
    throw new UsageError(`hash '${text}' is not in format '${from}', which --from asks for`);
  }
  return spell(hash, to);
}

function isSpelled(text: string, hash: Hash, encoding: HashEncoding): boolean {
  if (encoding === 'sri') return text === printHash(hash, 'sri');
  const digits = text.startsWith(`${hash.algorithm}:`) ? text.slice(hash.algorithm.length + 1) : text;
  return (encoding === 'base16' ? digits.toLowerCase() : digits) === printDigest(hash, encoding);
}

/** Only SRI names the algorithm, as in Nix. */
function spell(hash: Hash, format: Format): string {
  const encoding = encodingOf(format);
  return encoding === 'sri' ? printHash(hash, 'sri') : printDigest(hash, encoding);
}

function encodingOf(format: Format): HashEncoding {
  return format === 'base32' ? 'nix32' : format;
}

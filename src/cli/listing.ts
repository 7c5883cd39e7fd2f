/** Listings as text, as `nix store ls` prints them, and the options that all commands with a listing have. */
import type { Command } from 'commander';
import { InvalidPathError, StoreError, UsageError } from '../errors.ts';
import { NarParser, type NarVisitor } from '../formats/nar.ts';
import { findListing, type NarListing, pathNames, printNarListingJson } from '../formats/nar-listing.ts';
import { parseWithin, printStorePath } from '../formats/store-path.ts';
import type { NarSource, Store } from '../stores/store.ts';
import { verifyNar } from '../stores/verify-nar.ts';
import { LOOK_AGAIN } from './closure.ts';
import type { Output } from './command.ts';

export interface ListingOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
  readonly directory?: boolean;
  readonly json?: boolean;
}

/** Adds `-R`, `-l`, `-d` and `--json`. */
export function addListingOptions(command: Command): Command {
  return command
    .option('-R, --recursive', 'list directories in directories as well')
    .option('-l, --long', 'show kind, size and symlink target')
    .option('-d, --directory', 'show directories themselves, not what they hold')
    .option('--json', 'print JSON');
}

/**
 * Prints what is at `path` below `root`.
 *
 * @param shown - names the whole in errors.
 * @throws {StoreError} where there is nothing; {@link UsageError} on options that contradict each other.
 */
export async function printListing(
  root: NarListing,
  path: string,
  shown: string,
  options: ListingOptions,
  stdout: Output,
): Promise<void> {
  const bytes = toByteString(path);
  const listing = findListing(root, bytes);
  if (listing === undefined) throw notThere(shown, path);
  if (options.json) {
    if (options.directory) throw new UsageError("'--directory' is useless with '--json'");
    await stdout.write(`${printNarListingJson(listing, { recursive: options.recursive === true })}\n`);
    return;
  }
  const lines = [
    ...listingLines(listing, listing.type === 'directory' ? '.' : (pathNames(bytes).at(-1) ?? ''), options),
  ];
  const text = lines.map((line) => `${stdout.isTerminal ? harmless(line) : line}\n`).join('');
  await stdout.write(Buffer.from(text, 'latin1'));
}

/** Whom a path given to `ls` or `cat` belongs to, and how to get at its NAR. */
export interface StoreObject {
  /** The full store path. */
  readonly shown: string;
  /** From the store object on: `/bin/x`, or empty. */
  readonly rest: string;
  /** Hash and size are checked: it throws at the end where they are wrong. */
  readonly nar: NarSource;
}

/** @throws {InvalidPathError} where the store has no such path. */
export async function openStoreObject(store: Store, text: string): Promise<StoreObject> {
  const { path, rest } = parseWithin(store.storeDir, text);
  const shown = printStorePath(store.storeDir, path);
  const info = await store.queryPathInfo(path, LOOK_AGAIN);
  if (info === undefined) throw new InvalidPathError(shown, store.uri);
  return { shown, rest, nar: verifyNar(store.storeDir, info, (sink) => store.narFromPath(info, sink)) };
}

/** Reads a NAR to its end. */
export async function visitNar(nar: NarSource, visitor: NarVisitor): Promise<void> {
  const parser = new NarParser(visitor);
  await nar((chunk) => parser.push(chunk));
  parser.finish();
}

export function notThere(shown: string, path: string): StoreError {
  return new StoreError(`'${shown}' holds no '${path}'`);
}

/** A file name of the command line as the bytes that it has on disk. */
export function toByteString(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function* listingLines(listing: NarListing, name: string, options: ListingOptions): Generator<string> {
  if (listing.type === 'directory' && !options.directory) yield* entryLines(listing.entries, name, options);
  else yield* nodeLines(listing, name, options);
}

function* entryLines(
  entries: ReadonlyMap<string, NarListing>,
  directory: string,
  options: ListingOptions,
): Generator<string> {
  for (const [name, entry] of entries) yield* nodeLines(entry, `${directory}/${name}`, options);
}

function* nodeLines(listing: NarListing, name: string, options: ListingOptions): Generator<string> {
  yield options.long ? longLine(listing, name) : name;
  if (options.recursive && listing.type === 'directory') yield* entryLines(listing.entries, name, options);
}

function longLine(listing: NarListing, name: string): string {
  const size = String(listing.type === 'regular' ? listing.size : 0).padStart(20);
  const target = listing.type === 'symlink' ? ` -> ${listing.target}` : '';
  return `${modeOf(listing)} ${size} ${name}${target}`;
}

function modeOf(listing: NarListing): string {
  switch (listing.type) {
    case 'regular':
      return listing.executable ? '-r-xr-xr-x' : '-r--r--r--';
    case 'directory':
      return 'dr-xr-xr-x';
    case 'symlink':
      return 'lrwxrwxrwx';
  }
}

/** A name can hold escape sequences; a terminal shall not obey them. */
function harmless(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return line.replace(/[\x00-\x1f\x7f]/g, '?');
}

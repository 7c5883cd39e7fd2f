/**
 * What a NAR holds, without the contents: names, kinds, sizes, and where in the NAR each file's contents begin.
 * As in nar.ts, names and targets are byte strings.
 *
 * Source: Nix 2.35 libutil/nar-listing.cc; manual, "NAR listing".
 */
import type { NarVisitor } from './nar.ts';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from './nar-writer.ts';

export type NarListing = FileListing | DirectoryListing | SymlinkListing;

export interface FileListing {
  readonly type: 'regular';
  readonly size: number;
  readonly executable: boolean;
  /** Bytes of the NAR before the contents. */
  readonly narOffset: number;
}

export interface DirectoryListing {
  readonly type: 'directory';
  /** In the order of their names' bytes. */
  readonly entries: ReadonlyMap<string, NarListing>;
}

export interface SymlinkListing {
  readonly type: 'symlink';
  readonly target: string;
}

/** Lists a NAR while a parser reads it. */
export class NarLister implements NarVisitor {
  readonly #open: { readonly name: string; readonly entries: Map<string, NarListing> }[] = [];
  #root: NarListing | undefined;
  /** A NAR has one form only, so that what was told so far tells how many bytes it took. */
  #offset = ARCHIVE_START.length;

  /** The listing, once the archive has been read to its end. */
  get root(): NarListing {
    if (this.#root === undefined) throw new Error('unreachable: the listing is asked for before the archive has ended');
    return this.#root;
  }

  enterDirectory(name: string): void {
    this.#skip(this.#entryStart(name), DIRECTORY_START);
    this.#open.push({ name, entries: new Map() });
  }

  leaveDirectory(): void {
    const { name, entries } = this.#open.pop()!;
    this.#skip(DIRECTORY_END);
    this.#add(name, { type: 'directory', entries });
  }

  file(name: string, executable: boolean, size: number): void {
    this.#skip(this.#entryStart(name), fileStart(executable, size));
    const narOffset = this.#offset;
    this.#offset += size;
    this.#skip(fileEnd(size));
    this.#add(name, { type: 'regular', size, executable, narOffset });
  }

  contents(): void {}

  endFile(): void {}

  symlink(name: string, target: string): void {
    this.#skip(this.#entryStart(name), symlink(target));
    this.#add(name, { type: 'symlink', target });
  }

  #add(name: string, listing: NarListing): void {
    const directory = this.#open.at(-1);
    if (directory === undefined) {
      this.#root = listing;
      return;
    }
    this.#skip(ENTRY_END);
    directory.entries.set(name, listing);
  }

  #entryStart(name: string): string {
    return this.#open.length === 0 ? '' : entryStart(name);
  }

  #skip(...tokens: readonly string[]): void {
    for (const token of tokens) this.#offset += token.length;
  }
}

/**
 * What is at a path below `root`; symlinks are not followed.
 *
 * @param path - as {@link pathNames} reads it.
 */
export function findListing(root: NarListing, path: string): NarListing | undefined {
  let listing: NarListing | undefined = root;
  for (const name of pathNames(path)) listing = listing?.type === 'directory' ? listing.entries.get(name) : undefined;
  return listing;
}

/** The names that a path goes through: empty ones and `.` do not count, `..` takes the one before it away. */
export function pathNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

/**
 * The JSON of `nix store ls --json`, keys in alphabetical order. Text and not a value: an object would reorder names
 * such as `10` and `9`, and could not hold `__proto__`.
 *
 * @param recursive - whether entries are listed as well, or only named. Bytes that are no UTF-8 become U+FFFD.
 */
export function printNarListingJson(listing: NarListing, { recursive }: { readonly recursive: boolean }): string {
  switch (listing.type) {
    case 'regular': {
      const { executable, narOffset, size, type } = listing;
      return JSON.stringify({ executable, narOffset, size, type });
    }
    case 'symlink':
      return JSON.stringify({ target: decode(listing.target), type: 'symlink' });
    case 'directory': {
      const entries = [...listing.entries].map(
        ([name, entry]) =>
          `${JSON.stringify(decode(name))}:${recursive ? printNarListingJson(entry, { recursive }) : '{}'}`,
      );
      return `{"entries":{${entries.join(',')}},"type":"directory"}`;
    }
  }
}

function decode(byteString: string): string {
  return Buffer.from(byteString, 'latin1').toString('utf8');
}

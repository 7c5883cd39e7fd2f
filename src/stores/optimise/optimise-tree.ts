/**
 * Hard-linking the files of one store path to those with the same contents. Synchronous: for worker threads.
 *
 * Source: Nix 2.35 libstore/optimise-store.cc, LocalStore::optimisePath_.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { fsPath, printPath } from './byte-path.ts';
import type { InodeSet } from './inode-set.ts';
import { LinkNamer, linkNameOfSymlink } from './link-name.ts';
import { CAN_LINK_SYMLINKS, type Links } from './links.ts';
import { type DirectoryEntry, kindOf, readDirectory } from './read-directory.ts';
import { WritableDirectory } from './writable-directory.ts';

/** Counted as Nix does: a file that is replaced by a link frees its size. */
export interface OptimiseTotals {
  filesLinked: number;
  bytesFreed: number;
  bytesRead: number;
}

export interface TreeOptimiserOptions {
  readonly links: Links;
  /** Files that are links already: they need not be looked at. */
  readonly linked: InodeSet;
  readonly onMessage: (message: string) => void;
}

const OWNER_MAY_WRITE = 0o200;
const OWNER_MAY_EXECUTE = 0o100;

export class TreeOptimiser {
  readonly totals: OptimiseTotals = { filesLinked: 0, bytesFreed: 0, bytesRead: 0 };
  readonly #options: TreeOptimiserOptions;
  readonly #namer = new LinkNamer();

  constructor(options: TreeOptimiserOptions) {
    this.#options = options;
  }

  /**
   * Goes through one store path, and stops after each file that it looks at.
   *
   * @param path - where it lies, as a byte string.
   */
  *optimise(path: string): Generator<void, void, void> {
    const stats = lstatSync(fsPath(path));
    if (stats.isDirectory()) yield* this.#directory(path);
    else if (!this.#options.linked.has(stats.ino)) this.#file(path, kindOf(stats), undefined);
  }

  *#directory(path: string): Generator<void, void, void> {
    const below: string[] = [];
    {
      using directory = new WritableDirectory(path);
      for (const { name, kind } of readDirectory(path, this.#options.linked)) {
        if (kind === 'directory') below.push(name);
        else {
          this.#file(`${path}/${name}`, kind, directory);
          yield;
        }
      }
    }
    for (const name of below) yield* this.#directory(`${path}/${name}`);
  }

  #file(path: string, kind: DirectoryEntry['kind'], directory: WritableDirectory | undefined): void {
    if (kind !== 'regular' && (kind !== 'symlink' || !CAN_LINK_SYMLINKS)) return;
    const stats = lstatSync(fsPath(path));
    if (kindOf(stats) !== kind) return;
    if (kind === 'regular' && (stats.mode & OWNER_MAY_WRITE) !== 0) {
      this.#options.onMessage(`skipping suspicious writable file '${printPath(path)}'`);
      return;
    }
    if (this.#options.links.share(path, stats, this.#nameOf(path, stats), directory) !== 'replaced') return;
    this.totals.filesLinked++;
    this.totals.bytesFreed += stats.size;
  }

  #nameOf(path: string, stats: Stats): string {
    this.totals.bytesRead += stats.size;
    if (stats.isSymbolicLink()) return linkNameOfSymlink(readlinkSync(fsPath(path), 'latin1'));
    return this.#namer.read(path, (stats.mode & OWNER_MAY_EXECUTE) !== 0, stats.size);
  }
}

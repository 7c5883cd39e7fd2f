/**
 * `.links`: one name for each content that files in a store have. Files with equal contents are hard links to it, and so
 * to each other. Synchronous: for worker threads.
 *
 * Everything here may be done at the same time by others, Nix's tools among them, and each step leaves a store that is
 * whole: a file is always there under its name, and only ever replaced, in one step, by one with the same contents.
 *
 * Source: Nix 2.35 libstore/optimise-store.cc.
 */
import { randomInt } from 'node:crypto';
import { linkSync, lstatSync, readlinkSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { bytePath, fsPath, printPath } from './byte-path.ts';
import type { InodeSet } from './inode-set.ts';
import { LinkNamer, linkNameOfSymlink } from './link-name.ts';
import type { WritableDirectory } from './writable-directory.ts';

/** A symlink can have several names only where link(2) does not follow it. */
export const CAN_LINK_SYMLINKS: boolean = process.platform === 'linux';

/**
 * What became of a file: it is the first of its kind, was a link already, has been replaced by one, or stays as it is,
 * as no more links can be made.
 */
export type ShareOutcome = 'first' | 'linked' | 'replaced' | 'kept';

/** How often a file is tried that others change under our hands. */
const MAX_ATTEMPTS = 10;
/** Links that are known to be good; more are forgotten all at once. */
const MAX_CHECKED = 100_000;
/** The file system has no room for another link of the file, or in the directory, or does not let us make one. */
const NO_MORE_LINKS: ReadonlySet<unknown> = new Set(['EMLINK', 'ENOSPC', 'EDQUOT']);

export interface LinksOptions {
  /** Called with what a user should know. */
  readonly onMessage?: ((message: string) => void) | undefined;
  /**
   * What was in `.links` at the beginning: only that may be corrupt, as all else was made since, by someone who had just
   * read the file. Where it is missing every link is looked at before the first use.
   */
  readonly older?: InodeSet | undefined;
}

/** Dispose it when nothing is left to share. */
export class Links implements Disposable {
  /** Byte strings. */
  readonly #dir: string;
  readonly #temporary: string;
  readonly #onMessage: (message: string) => void;
  readonly #older: InodeSet | undefined;
  readonly #namer = new LinkNamer();
  /** By name, the inodes of links that have the contents that their name says. */
  readonly #checked = new Map<string, number>();

  constructor(realStoreDir: string, { onMessage = () => {}, older }: LinksOptions = {}) {
    const storeDir = bytePath(realStoreDir);
    this.#dir = `${storeDir}/.links`;
    this.#temporary = `${storeDir}/.tmp-link-${process.pid}-${randomInt(2 ** 47)}`;
    this.#onMessage = onMessage;
    this.#older = older;
  }

  [Symbol.dispose](): void {
    unlinkIfThere(this.#temporary);
  }

  /**
   * Makes a file of the store a link to the one with the same contents, or that one, where it is the first.
   *
   * @param path - a byte string.
   * @param stats - of the file, from before its contents were read.
   * @param name - what its contents give as a name.
   * @param directory - the one that the file is in; where it is missing, it can be written to.
   * @throws what the file system says.
   */
  share(path: string, stats: Stats, name: string, directory?: WritableDirectory): ShareOutcome {
    for (let attempt = 1; ; attempt++) {
      try {
        return this.#tryShare(path, stats, name, directory);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (NO_MORE_LINKS.has(code)) return 'kept';
        // Somebody was faster: made the link, deleted it or our new name, or made the directory read-only again.
        const again = code === 'EEXIST' || code === 'ENOENT' || (code === 'EACCES' && directory !== undefined);
        if (!again || attempt === MAX_ATTEMPTS || !isThere(path)) throw error;
        if (code === 'EACCES') directory!.makeWritable();
        this.#checked.delete(name);
      }
    }
  }

  /**
   * Makes a new file out of the one with these contents.
   *
   * @param path - a byte string; nothing is there.
   * @returns false where there is none, or it can have no more links.
   */
  linkTo(path: string, name: string, size: number): boolean {
    try {
      if (this.#find(name, size) === undefined) return false;
      linkSync(fsPath(`${this.#dir}/${name}`), fsPath(path));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
      return false;
    }
  }

  #tryShare(path: string, stats: Stats, name: string, directory: WritableDirectory | undefined): ShareOutcome {
    const found = this.#find(name, stats.size);
    if (found === undefined) {
      linkSync(fsPath(path), fsPath(`${this.#dir}/${name}`));
      if (this.#older === undefined) this.#trust(name, stats.ino); // most are never met again
      return 'first';
    }
    if (found === stats.ino) return 'linked';
    return this.#replace(path, stats, name, directory) ? 'replaced' : 'kept';
  }

  #replace(path: string, { ino }: Stats, name: string, directory: WritableDirectory | undefined): boolean {
    const temporary = this.#temporary;
    this.#linkTemporary(`${this.#dir}/${name}`);
    using cleanup = new DisposableStack();
    cleanup.defer(() => unlinkIfThere(temporary));
    // A repair may have put another file there meanwhile, which is not the one whose contents are known.
    if (lstatSync(fsPath(path)).ino !== ino) return false;
    directory?.beforeChange();
    renameSync(fsPath(temporary), fsPath(path));
    cleanup.move();
    return true;
  }

  /** The name may be in use: where a rename finds two names of one file, it leaves both. */
  #linkTemporary(link: string): void {
    try {
      linkSync(fsPath(link), fsPath(this.#temporary));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      unlinkIfThere(this.#temporary);
      linkSync(fsPath(link), fsPath(this.#temporary));
    }
  }

  /** The inode of the link of that name, where there is one that has not been damaged. One that has is removed. */
  #find(name: string, size: number): number | undefined {
    const known = this.#checked.get(name);
    if (known !== undefined && this.#older !== undefined) return known;
    const link = `${this.#dir}/${name}`;
    const stats = lstatSync(fsPath(link), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.size === size && (stats.ino === known || this.#isIntact(link, name, stats))) {
      this.#trust(name, stats.ino);
      return stats.ino;
    }
    this.#onMessage(`removing corrupted link '${printPath(link)}': there may be corrupted paths that share it`);
    unlinkIfThere(link);
    return undefined;
  }

  #isIntact(link: string, name: string, stats: Stats): boolean {
    if (this.#older?.has(stats.ino) === false) return true;
    if (stats.isSymbolicLink()) return linkNameOfSymlink(readlinkSync(fsPath(link), 'latin1')) === name;
    return stats.isFile() && this.#namer.read(link, (stats.mode & 0o100) !== 0, stats.size) === name;
  }

  #trust(name: string, inode: number): void {
    if (this.#checked.size >= MAX_CHECKED) this.#checked.clear();
    this.#checked.set(name, inode);
  }
}

const opened = new Map<string, Links>();

/** The links of a store, for as long as the thread lives: for sharing files while they are unpacked. */
export function linksOf(realStoreDir: string): Links {
  const links = opened.get(realStoreDir) ?? new Links(realStoreDir);
  opened.set(realStoreDir, links);
  return links;
}

function isThere(path: string): boolean {
  return lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(fsPath(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

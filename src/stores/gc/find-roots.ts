/**
 * The roots that stay: symlinks below `gcroots` and `profiles`. One that leads into the store keeps what it names; one
 * that leads to a symlink elsewhere, which leads into the store, keeps what that one names (an indirect root, in
 * `gcroots/auto`). A file whose name is that of a store path keeps that.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::findRoots.
 */
import { type Dirent, lstatSync, readdirSync, readlinkSync, unlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { FormatError } from '../../errors.ts';
import { parseBaseName, parseWithin, type StoreDir, type StorePath } from '../../formats/store-path.ts';

/** What keeps a path, which need not be valid. */
export interface Root {
  /** A file, or `{temp:FILE}`. */
  readonly from: string;
  readonly path: StorePath;
}

export interface FoundRoots {
  readonly roots: readonly Root[];
  /** What a user who looks for a root that does not count wants to know. */
  readonly messages: readonly string[];
}

/** A symlink that cannot be read now is no root; a disk that cannot be read must not cost a root its life. */
const NOT_READABLE = ['EACCES', 'ENOENT', 'ENOTDIR'];

/** Finds the roots of a store. Links in `gcroots/auto` to what is gone are removed, as Nix does. */
export function findPermanentRoots(stateDir: string, storeDir: StoreDir): FoundRoots {
  const finder = new RootFinder(stateDir, storeDir);
  finder.visit(join(stateDir, 'gcroots'));
  finder.visit(join(stateDir, 'profiles'));
  return finder;
}

class RootFinder implements FoundRoots {
  readonly roots: Root[] = [];
  readonly messages: string[] = [];
  readonly #storeDir: StoreDir;
  readonly #auto: string;

  constructor(stateDir: string, storeDir: StoreDir) {
    this.#storeDir = storeDir;
    this.#auto = `${join(stateDir, 'gcroots/auto')}/`;
  }

  visit(file: string, entry?: Dirent): void {
    try {
      const type = entry === undefined || isUnknown(entry) ? lstatSync(file) : entry;
      if (type.isDirectory()) {
        for (const each of readdirSync(file, { withFileTypes: true })) this.visit(`${file}/${each.name}`, each);
      } else if (type.isSymbolicLink()) {
        this.#visitLink(file);
      } else if (type.isFile()) {
        this.#add(file, `${this.#storeDir}/${basename(file)}`);
      }
    } catch (error) {
      if (!NOT_READABLE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      this.messages.push(`cannot read potential root '${file}'`);
    }
  }

  #visitLink(file: string): void {
    const target = readlinkSync(file);
    if (isInStore(this.#storeDir, target)) {
      this.#add(file, target);
      return;
    }
    const link = resolve(dirname(file), target);
    const stats = lstatSync(link, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) this.#add(link, readlinkSync(link));
    if (stats !== undefined || !file.startsWith(this.#auto)) return;
    this.messages.push(`removing stale link from '${file}' to '${link}'`);
    unlinkSync(file);
  }

  #add(from: string, target: string): void {
    const path = storePathIn(this.#storeDir, target);
    if (path !== undefined) this.roots.push({ from, path });
  }
}

/** Some file systems do not say what an entry is. */
function isUnknown(entry: Dirent): boolean {
  return !(entry.isDirectory() || entry.isSymbolicLink() || entry.isFile() || entry.isSocket() || entry.isFIFO());
}

function isInStore(storeDir: StoreDir, file: string): boolean {
  return file.startsWith(`${storeDir}/`) && file.length > storeDir.length + 1;
}

/** The store path that a file name leads into; undefined where it is none. */
export function storePathIn(storeDir: StoreDir, file: string): StorePath | undefined {
  if (!isInStore(storeDir, file)) return undefined;
  return ifParsed(() => parseWithin(storeDir, file).path);
}

/** An entry of the store directory as a store path; undefined where it has no such name. */
export function storePathNamed(name: string): StorePath | undefined {
  return ifParsed(() => parseBaseName(name));
}

function ifParsed(parse: () => StorePath): StorePath | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

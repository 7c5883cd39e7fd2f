/**
 * Files of store paths as a builder sees them: by their full names in the store, wherever that lies. Symlinks lead where
 * they lead in there, and those that lead out of the store lead nowhere.
 */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { FormatError } from '../../errors.ts';
import { bytePath, fsPath } from '../../stores/optimise/byte-path.ts';
import { kindOf, readDirectory } from '../../stores/optimise/read-directory.ts';

/** A file, when all symlinks have been followed. */
export interface StoreFile {
  /** Its full name in the store; a byte string, as all names here. */
  readonly path: string;
  readonly kind: 'regular' | 'directory' | 'unknown';
}

/** What the system allows as well. */
const MAX_LINKS = 40;

export class StoreFiles {
  readonly #realPath: (fullStorePath: string) => string;
  readonly #storeDir: string;
  /** Of directories that have been looked up. */
  readonly #directories = new Map<string, StoreFile | undefined>();

  /** @param realPath - takes full names in `storeDir`; a {@link FormatError} says that no store path has such a name. */
  constructor(storeDir: string, realPath: (fullStorePath: string) => string) {
    this.#realPath = realPath;
    this.#storeDir = bytePath(storeDir);
  }

  /** @returns undefined where there is no such file, or it leads nowhere. */
  resolve(path: string): StoreFile | undefined {
    return this.#resolve(posix.normalize(path), 0);
  }

  /** The entries of a directory. Symlinks have been followed: where one leads nowhere it has no file. */
  list(directory: StoreFile): { readonly name: string; readonly file: StoreFile | undefined }[] {
    return readDirectory(this.#locate(directory.path)).map(({ name, kind }) => {
      const path = `${directory.path}/${name}`;
      return { name, file: kind === 'symlink' ? this.#resolve(path, 0) : { path, kind } };
    });
  }

  /** The text of a file; undefined where there is none. */
  read(path: string): string | undefined {
    const file = this.resolve(path);
    return file?.kind === 'regular' ? readFileSync(fsPath(this.#locate(file.path)), 'latin1') : undefined;
  }

  #resolve(path: string, links: number): StoreFile | undefined {
    if (!path.startsWith(`${this.#storeDir}/`)) return undefined;
    const parent = posix.dirname(path);
    const directory = parent === this.#storeDir ? { path: parent } : this.#resolveDirectory(parent, links);
    if (directory === undefined) return undefined;
    const found = `${directory.path}/${posix.basename(path)}`;
    const location = this.#tryLocate(found);
    const stats = location && lstatSync(fsPath(location), { throwIfNoEntry: false });
    if (!location || !stats) return undefined;
    const kind = kindOf(stats);
    if (kind !== 'symlink') return { path: found, kind };
    if (links === MAX_LINKS) return undefined;
    const target = readlinkSync(fsPath(location), 'latin1');
    return this.#resolve(posix.resolve(directory.path, target), links + 1);
  }

  #resolveDirectory(path: string, links: number): StoreFile | undefined {
    if (!this.#directories.has(path)) {
      const file = this.#resolve(path, links);
      this.#directories.set(path, file?.kind === 'directory' ? file : undefined);
    }
    return this.#directories.get(path);
  }

  /** @returns undefined where no store path has such a name. */
  #tryLocate(path: string): string | undefined {
    try {
      return this.#locate(path);
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }

  #locate(path: string): string {
    return bytePath(this.#realPath(Buffer.from(path, 'latin1').toString()));
  }
}

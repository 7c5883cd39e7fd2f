/**
 * Deleting what lies in a store directory, and counting what that frees. Synchronous: for worker threads.
 *
 * Source: Nix 2.35 libutil/file-system.cc, deletePath.
 */
import { chmodSync, type Dirent, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';

/** A file with more links than these is elsewhere as well: one may be in `.links`. */
const FREEING_LINKS = 2;
/** What stands for bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * Deletes a tree, whatever the modes of its directories; nothing happens where there is none.
 *
 * @param onProblem - called with what cannot be deleted, while the rest is.
 * @returns the bytes that this frees, as Nix counts them: the sizes of files, those of directories left out.
 */
export function deleteTree(path: string, onProblem: OnProblem): number {
  return new Deleter(onProblem).deleteFile(path);
}

export type OnProblem = (path: string, error: Error) => void;

class Deleter {
  readonly #onProblem: OnProblem;
  // Root needs no permission.
  readonly #needsPermission = process.getuid?.() !== 0;

  constructor(onProblem: OnProblem) {
    this.#onProblem = onProblem;
  }

  /** Also of a directory, as some file systems do not tell with the names what is one. */
  deleteFile(path: string | Buffer): number {
    return (
      this.#try(path, () => {
        const stats = lstatSync(path);
        if (stats.isDirectory()) return this.#deleteDirectory(path);
        unlinkSync(path);
        return stats.nlink <= FREEING_LINKS ? stats.size : 0;
      }) ?? 0
    );
  }

  /** @param path - bytes where it is not UTF-8. */
  #deleteDirectory(path: string | Buffer): number {
    if (this.#needsPermission) this.#try(path, () => chmodSync(path, 0o700));
    let freed = 0;
    for (const entry of this.#try(path, () => entriesOf(path)) ?? []) {
      const child = join(path, entry.name);
      freed += entry.isDirectory() ? this.#deleteDirectory(child) : this.deleteFile(child);
    }
    this.#try(path, () => rmdirSync(path));
    return freed;
  }

  /** What is gone already is no problem: a stale staging directory may be deleted by two. */
  #try<T>(path: string | Buffer, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#onProblem(String(path), error as Error);
      return undefined;
    }
  }
}

function entriesOf(path: string | Buffer): readonly (Dirent | Dirent<Buffer>)[] {
  if (typeof path === 'string') {
    const entries = readdirSync(path, { withFileTypes: true });
    if (!entries.some(({ name }) => name.includes(REPLACEMENT))) return entries;
  }
  return readdirSync(path, { withFileTypes: true, encoding: 'buffer' });
}

function join(path: string | Buffer, name: string | Buffer): string | Buffer {
  if (typeof path === 'string' && typeof name === 'string') return `${path}/${name}`;
  return Buffer.concat([Buffer.from(path), Buffer.from('/'), Buffer.from(name)]);
}

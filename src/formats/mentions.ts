/**
 * Where a store object names others: the files that hold the hash part of a path, with some text around it, and the
 * symlinks that lead there. Found while the object's NAR is read, in bounded memory.
 *
 * Source: Nix 2.35 nix/why-depends.cc.
 */
import type { NarVisitor } from './nar.ts';
import { hashPart, type StorePath } from './store-path.ts';

/** The first place in a file, or a symlink, that names a path. All texts are byte strings. */
export interface Mention {
  /** Below the store object; `/` for itself. */
  readonly file: string;
  readonly kind: 'contents' | 'target';
  readonly before: string;
  readonly hash: string;
  readonly after: string;
}

/** Bytes around a hash part that are shown. */
const MARGIN = 32;
/** A hash part that is not complete, or whose margin is not, begins within these last bytes; so does the margin before it. */
const TAIL = 4 * MARGIN;
const NO_BYTES = Buffer.alloc(0);

interface Wanted {
  readonly path: StorePath;
  readonly hash: string;
  readonly bytes: Buffer;
}

/** Collects mentions of paths. */
export class MentionFinder implements NarVisitor {
  /** By the path that is named, in the order of the NAR. */
  readonly found: Map<StorePath, Mention[]>;
  readonly #wanted: readonly Wanted[];
  readonly #directories: string[] = [];
  #file = '';
  #remaining = 0;
  #window: Buffer = NO_BYTES;
  /** Of the current file. */
  #missing: readonly Wanted[] = [];

  constructor(paths: Iterable<StorePath>) {
    this.#wanted = [...paths].map((path) => ({ path, hash: hashPart(path), bytes: Buffer.from(hashPart(path)) }));
    this.found = new Map(this.#wanted.map(({ path }) => [path, []]));
  }

  enterDirectory(name: string): void {
    this.#directories.push(name);
  }

  leaveDirectory(): void {
    this.#directories.pop();
  }

  file(name: string, _executable: boolean, size: number): void {
    this.#file = this.#pathOf(name);
    this.#remaining = size;
    this.#window = NO_BYTES;
    this.#missing = this.#wanted;
  }

  contents(bytes: Uint8Array): void {
    this.#remaining -= bytes.length;
    if (this.#missing.length === 0) return;
    const window = Buffer.concat([this.#window, bytes]);
    this.#missing = this.#missing.filter((wanted) => !this.#search(window, wanted));
    this.#window = window.subarray(Math.max(0, window.length - TAIL));
  }

  endFile(): void {
    this.#window = NO_BYTES;
  }

  symlink(name: string, target: string): void {
    for (const { path, hash } of this.#wanted) {
      const start = target.indexOf(hash);
      if (start < 0) continue;
      const [before, after] = [target.slice(0, start), target.slice(start + hash.length)];
      this.found.get(path)!.push({ file: this.#pathOf(name), kind: 'target', before, hash, after });
    }
  }

  /** @returns whether it was found, with all of its margin. */
  #search(window: Buffer, { path, hash, bytes }: Wanted): boolean {
    const start = window.indexOf(bytes);
    if (start < 0) return false;
    const end = start + bytes.length;
    if (end + MARGIN > window.length && this.#remaining > 0) return false;
    const before = window.toString('latin1', Math.max(0, start - MARGIN), start);
    const after = window.toString('latin1', end, end + MARGIN);
    this.found.get(path)!.push({ file: this.#file, kind: 'contents', before, hash, after });
    return true;
  }

  #pathOf(name: string): string {
    return [...this.#directories.slice(1), name].join('/') || '/';
  }
}

/**
 * Sharing files while they are unpacked: each is hashed on its way to the disk, without being read again, and a small
 * one that is there already is not written at all.
 *
 * Where a file cannot be shared it stays as it is: that costs room, nothing else.
 *
 * Source: Nix 2.35 libstore/optimise-store.cc, LocalStore::optimisePath.
 */
import { lstatSync } from 'node:fs';
import { fsPath } from './byte-path.ts';
import { LinkNamer, linkNameOfSymlink } from './link-name.ts';
import { CAN_LINK_SYMLINKS, type Links } from './links.ts';

/** Files up to this are written only when it is known that they are new. There may be many unpacked at once. */
const MOST_HELD = 64 * 1024;

export class FileSharer {
  readonly #links: Links;
  readonly #namer = new LinkNamer(MOST_HELD);
  #size = 0;
  #name: string | undefined;

  constructor(links: Links) {
    this.#links = links;
  }

  /** A file begins; its contents follow. */
  start(executable: boolean, size: number): void {
    this.#size = size;
    this.#name = undefined;
    this.#namer.start(executable, size);
  }

  push(bytes: Uint8Array): void {
    this.#namer.push(bytes);
  }

  /** The contents so far of a file that is small. It need not be written before it is complete. */
  get held(): Uint8Array | undefined {
    return this.#namer.held;
  }

  /** At the end of a file that has not been written: whether it need not be, as there was one like it. */
  linkInstead(path: string): boolean {
    return this.#links.linkTo(path, this.#finish(), this.#size);
  }

  /** At the end of a file that is on the disk, with mode and time as they are to be. */
  share(path: string): void {
    this.#share(path, this.#finish());
  }

  shareSymlink(path: string, target: string): void {
    if (CAN_LINK_SYMLINKS) this.#share(path, linkNameOfSymlink(target));
  }

  #finish(): string {
    this.#name ??= this.#namer.finish();
    return this.#name;
  }

  #share(path: string, name: string): void {
    try {
      this.#links.share(path, lstatSync(fsPath(path)), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    }
  }
}

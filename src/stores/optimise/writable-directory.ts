/** A directory of a store in which a file is replaced: it can be written to for that long, and looks untouched then. */
import { chmodSync, utimesSync } from 'node:fs';
import { fsPath } from './byte-path.ts';

/** Of every directory in a store. */
const STORE_MODE = 0o555;
const STORE_MTIME = 1;
const isRoot = process.getuid?.() === 0;

export class WritableDirectory implements Disposable {
  readonly #path: string;
  #changed = false;
  #writable = false;

  /** @param path - a byte string. Nothing is done until the first change. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Before each change. */
  beforeChange(): void {
    this.#changed = true;
    if (!isRoot && !this.#writable) this.makeWritable();
  }

  /** Once more, where somebody else has made it read-only. */
  makeWritable(): void {
    this.#changed = true;
    this.#writable = true;
    chmodSync(fsPath(this.#path), 0o755);
  }

  /** Mode and time are what they must be again. */
  [Symbol.dispose](): void {
    if (!this.#changed) return;
    if (this.#writable) chmodSync(fsPath(this.#path), STORE_MODE);
    utimesSync(fsPath(this.#path), STORE_MTIME, STORE_MTIME);
  }
}

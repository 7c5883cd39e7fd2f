/**
 * What a file is called in `.links`: the nix32 digits of the sha256 of its NAR. Synchronous: for worker threads.
 *
 * Source: Nix 2.35 libstore/optimise-store.cc.
 */
import { createHash, type Hash as Hasher, hash as hashOf } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { StoreError } from '../../errors.ts';
import { ARCHIVE_START, fileEnd, fileStart, symlink } from '../../formats/nar-writer.ts';
import { encodeNix32 } from '../../formats/nix32.ts';
import { fsPath, printPath } from './byte-path.ts';

/** The largest file that is held in one piece, unless told otherwise. */
const MOST_HELD = 256 * 1024;
/** What comes before the contents of a file; the size that it ends with is filled in. */
const [PLAIN, EXECUTABLE] = [false, true].map((executable) =>
  Buffer.from(ARCHIVE_START + fileStart(executable, 0), 'latin1'),
) as [Buffer, Buffer];
const SIZE_LENGTH = 8;
/** By how many bytes the contents are short of a multiple of eight. */
const ENDS = Array.from({ length: 8 }, (_, size) => Buffer.from(fileEnd(size), 'latin1'));
/** What is before and after the contents takes no more. */
const AROUND = EXECUTABLE.length + Math.max(...ENDS.map(({ length }) => length));

/** The name of a symlink; its target is a byte string. */
export function linkNameOfSymlink(target: string): string {
  return encodeNix32(hashOf('sha256', Buffer.from(ARCHIVE_START + symlink(target), 'latin1'), 'buffer'));
}

/** Computes the names of files, one after the other. Small ones stay in memory until the next one starts. */
export class LinkNamer {
  readonly #scratch: Buffer;
  #hasher: Hasher | undefined;
  #start = 0;
  #end = 0;
  #size = 0;

  /** @param most - bytes of a file that is held. */
  constructor(most: number = MOST_HELD) {
    this.#scratch = Buffer.allocUnsafe(most + AROUND);
  }

  /** A file begins; its contents follow. */
  start(executable: boolean, size: number): void {
    const head = executable ? EXECUTABLE : PLAIN;
    head.copy(this.#scratch);
    this.#scratch.writeUInt32LE(size % 2 ** 32, head.length - SIZE_LENGTH);
    this.#scratch.writeUInt32LE(Math.floor(size / 2 ** 32), head.length - SIZE_LENGTH / 2);
    this.#start = head.length;
    this.#end = head.length;
    this.#size = size;
    this.#hasher = size > this.#scratch.length - AROUND ? createHash('sha256') : undefined;
    this.#hasher?.update(this.#scratch.subarray(0, head.length));
  }

  /** The contents so far, where they are held; otherwise they are gone once they were hashed. */
  get held(): Uint8Array | undefined {
    return this.#hasher === undefined ? this.#scratch.subarray(this.#start, this.#end) : undefined;
  }

  push(bytes: Uint8Array): void {
    if (this.#hasher !== undefined) {
      this.#hasher.update(bytes);
      return;
    }
    this.#scratch.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** @returns the name, when all contents have been pushed. */
  finish(): string {
    const end = ENDS[this.#size % 8]!;
    if (this.#hasher !== undefined) return encodeNix32(this.#hasher.update(end).digest());
    end.copy(this.#scratch, this.#end);
    return encodeNix32(hashOf('sha256', this.#scratch.subarray(0, this.#end + end.length), 'buffer'));
  }

  /**
   * The name of a file of the file system.
   *
   * @param path - a byte string.
   * @throws {StoreError} where the file is shorter than `size`.
   */
  read(path: string, executable: boolean, size: number): string {
    this.start(executable, size);
    if (size === 0) return this.finish();
    using opened = new DisposableStack();
    const fd = opened.adopt(openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW), closeSync);
    for (let left = size; left > 0; ) {
      const at = this.#hasher === undefined ? this.#end : 0;
      const read = readSync(fd, this.#scratch, at, Math.min(left, this.#scratch.length - at), null);
      if (read === 0) throw new StoreError(`'${printPath(path)}' became shorter while it was read`);
      if (this.#hasher === undefined) this.#end += read;
      else this.#hasher.update(this.#scratch.subarray(0, read));
      left -= read;
    }
    return this.finish();
  }
}

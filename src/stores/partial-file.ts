/**
 * The part of a large file that has come so far, kept on disk for as long as the rest has not: a process that is killed
 * leaves it, and the next one goes on where it ends.
 *
 * What is kept is only ever an offer. Nothing is synced, so a power cut may leave zeros at its end; whoever goes on with
 * it checks the whole, and begins anew where that fails. A file that cannot be written is given up without a word.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import { asStoreError } from './fs-errors.ts';
import { loadLibc } from './libc.ts';
import type { Sink } from './store.ts';

const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
/** What is written, and read, at once: a system call costs as much as copying some ten KiB. */
const BLOCK_SIZE = 256 * 1024;

/**
 * Opens the part that is kept under a file name, or begins one, and locks it with flock(2) for as long as it is open.
 *
 * @returns undefined where somebody else has it, or the file system refuses: the download does without then.
 */
export function openPartialFile(path: string): PartialFile | undefined {
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync(path, READ_WRITE_CREATE, 0o600), closeSync);
    if (!loadLibc().tryLock(fd, 'exclusive', path)) return undefined;
    const { size, ino } = fstatSync(fd);
    // Without this, one that its last owner removes between open and lock would look like ours.
    if (lstatSync(path).ino !== ino) return undefined;
    opened.move();
    return new PartialFile(path, fd, size);
  } catch (error) {
    asStoreError(`cannot open '${path}'`, error);
    return undefined;
  }
}

/** Disposing closes it, and keeps what it has. */
export class PartialFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  /** Of the file; what waits in the block comes after. */
  #length: number;
  /** Small chunks, gathered. */
  #block: Uint8Array | undefined;
  #waiting = 0;
  #open = true;

  /** Use {@link openPartialFile}. */
  constructor(path: string, fd: number, length: number) {
    this.#path = path;
    this.#fd = fd;
    this.#length = length;
  }

  /** How many bytes there are, from the beginning of the file. */
  get length(): number {
    return this.#length + this.#waiting;
  }

  /**
   * Pours what is there, with a turn for others after each piece.
   *
   * @throws {StoreError} where it cannot be read.
   */
  async replay(sink: Sink, signal?: AbortSignal): Promise<void> {
    const buffer = new Uint8Array(BLOCK_SIZE);
    const end = this.#length;
    for (let position = 0; position < end; ) {
      signal?.throwIfAborted();
      const bytesRead = this.#read(buffer.subarray(0, end - position), position);
      position += bytesRead;
      const taken = sink(buffer.subarray(0, bytesRead));
      if (taken instanceof Promise) await taken;
      await new Promise(setImmediate);
    }
  }

  /** Adds the bytes that come next. Where there is no room for them nothing is kept any more, and that makes some. */
  append(chunk: Uint8Array): void {
    if (!this.#open) return;
    if (this.#waiting + chunk.length > BLOCK_SIZE) this.#flush();
    if (chunk.length >= BLOCK_SIZE / 2) {
      this.#flush();
      this.#write(chunk);
      return;
    }
    this.#block ??= new Uint8Array(BLOCK_SIZE);
    this.#block.set(chunk, this.#waiting);
    this.#waiting += chunk.length;
  }

  /** The part is of no more use: its name goes, and its contents. */
  remove(): void {
    if (!this.#open) return;
    this.#waiting = 0;
    try {
      unlinkSync(this.#path); // while it is locked: nobody else has begun to use it
    } catch (error) {
      asStoreError(`cannot remove '${this.#path}'`, error); // whoever goes on with it will find out
    }
    this.#close();
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#flush();
    this.#close();
  }

  #flush(): void {
    if (this.#waiting === 0) return;
    const bytes = this.#block!.subarray(0, this.#waiting);
    this.#waiting = 0;
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    if (!this.#open) return;
    try {
      for (let written = 0; written < bytes.length; ) {
        const count = writeSync(this.#fd, bytes, written, bytes.length - written, this.#length);
        written += count;
        this.#length += count;
      }
    } catch (error) {
      asStoreError(`cannot write '${this.#path}'`, error);
      this.remove();
    }
  }

  #read(buffer: Uint8Array, position: number): number {
    const what = `cannot read '${this.#path}'`;
    try {
      const bytesRead = readSync(this.#fd, buffer, 0, buffer.length, position);
      if (bytesRead > 0) return bytesRead;
    } catch (error) {
      throw asStoreError(what, error);
    }
    throw new StoreError(`${what}: it became shorter`);
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#length = 0;
    closeSync(this.#fd);
  }
}

/**
 * The part of a NAR that is in memory: filled at one end while the file system is read, taken out at the other. Who
 * fills it sees when it is full, and waits until something was taken. Synchronous: for worker threads.
 */
import { readSync } from 'node:fs';
import { StoreError } from '../../errors.ts';
import { fsPath } from '../optimise/byte-path.ts';

/** Enough to make system calls rare, little enough for two to stay in the cache. */
export const WINDOW_SIZE: number = 128 * 1024;
/** Room for what a hash puts after the end. */
export const END_ROOM = 128;

/** Those that nobody uses. */
const spare: Buffer[] = [];
const MOST_SPARE = 4;

/** Dispose it, so that the next one has its memory. */
export class NarWindow implements Disposable {
  /** Its memory stays where it is. {@link END_ROOM} bytes at its end are never filled. */
  readonly buffer: Buffer = spare.pop() ?? Buffer.allocUnsafeSlow(WINDOW_SIZE + END_ROOM);
  #start = 0;
  #end = 0;
  #filled = 0;

  [Symbol.dispose](): void {
    if (spare.length < MOST_SPARE) spare.push(this.buffer);
  }

  /** Where in the buffer what is not taken yet begins. */
  get start(): number {
    return this.#start;
  }

  /** Bytes that are not taken yet. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Bytes that were filled in since it was empty. */
  get filled(): number {
    return this.#filled;
  }

  /** Whether there is no room left. What is left once some was taken is moved to the front for that. */
  isFull(room = 1): boolean {
    if (this.#end + room <= WINDOW_SIZE) return false;
    if (this.#start === 0) return true;
    this.buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    return this.#end + room > WINDOW_SIZE;
  }

  /** Adds a byte string, for which there is room. */
  put(token: string): void {
    this.#add(this.buffer.write(token, this.#end, 'latin1'));
  }

  /**
   * Adds what comes next in a file, at most `most` bytes.
   *
   * @param name - of the file, a byte string.
   * @returns how many they are.
   * @throws {StoreError} where the file has ended.
   */
  read(fd: number, most: number, name: string): number {
    const read = readSync(fd, this.buffer, this.#end, Math.min(most, WINDOW_SIZE - this.#end), null);
    if (read === 0) throw new StoreError(`'${fsPath(name)}' became shorter while it was read`);
    this.#add(read);
    return read;
  }

  /** Takes out what is there; it is overwritten when more is filled in. */
  takeAll(): Uint8Array {
    const bytes = this.buffer.subarray(this.#start, this.#end);
    this.take(bytes.length);
    return bytes;
  }

  /** Takes out so many bytes. */
  take(bytes: number): void {
    this.#start += bytes;
    if (this.#start === this.#end) [this.#start, this.#end] = [0, 0];
  }

  /**
   * Puts bytes after the end that are not of the NAR.
   *
   * @param bytes - at most {@link END_ROOM}.
   */
  end(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Drops all, for the next NAR. */
  clear(): void {
    [this.#start, this.#end, this.#filled] = [0, 0, 0];
  }

  #add(bytes: number): void {
    this.#end += bytes;
    this.#filled += bytes;
  }
}

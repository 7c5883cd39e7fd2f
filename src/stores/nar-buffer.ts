/**
 * The bytes of a NAR on their way from a file system to whoever takes them, in one buffer: for readers that do nothing
 * but read. Synchronous: for worker threads.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { StoreError } from '../errors.ts';
import { fsPath } from './optimise/byte-path.ts';

/** Enough to make system calls rare, little enough to stay in the cache. */
const BUFFER_SIZE = 128 * 1024;

/** The buffer that nobody uses. */
let spare: Buffer | undefined;

/** Dispose it, so that the next one has its buffer. */
export class NarBuffer implements Disposable {
  readonly #take: (chunk: Uint8Array) => void;
  readonly #buffer: Buffer;
  #length = 0;
  #taken = 0;

  /** @param take - gets the bytes in order; a chunk is overwritten when it returns. */
  constructor(take: (chunk: Uint8Array) => void) {
    this.#take = take;
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
    spare = undefined;
  }

  [Symbol.dispose](): void {
    spare = this.#buffer;
  }

  /** How many bytes were handed over. */
  get taken(): number {
    return this.#taken;
  }

  /** Adds a byte string, which is shorter than the buffer. */
  put(token: string): void {
    if (this.#length + token.length > BUFFER_SIZE) this.flush();
    this.#length += this.#buffer.write(token, this.#length, 'latin1');
  }

  /** Adds bytes, however many. */
  add(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; ) {
      if (this.#length === BUFFER_SIZE) this.flush();
      const piece = bytes.subarray(start, start + BUFFER_SIZE - this.#length);
      this.#buffer.set(piece, this.#length);
      this.#length += piece.length;
      start += piece.length;
    }
  }

  /**
   * Adds what comes next in a file, at most `most` bytes.
   *
   * @param name - of the file, a byte string.
   * @returns those bytes; they are overwritten with the next call.
   * @throws {StoreError} where the file has ended.
   */
  read(fd: number, most: number, name: string): Uint8Array {
    if (this.#length === BUFFER_SIZE) this.flush();
    const start = this.#length;
    const read = readSync(fd, this.#buffer, start, Math.min(most, BUFFER_SIZE - start), null);
    if (read === 0) throw new StoreError(`'${fsPath(name)}' became shorter while it was read`);
    this.#length += read;
    return this.#buffer.subarray(start, this.#length);
  }

  /** Hands over what is left. */
  flush(): void {
    if (this.#length === 0) return;
    const { length } = this.#buffer;
    this.#take(this.#length === length ? this.#buffer : this.#buffer.subarray(0, this.#length));
    this.#taken += this.#length;
    this.#length = 0;
  }
}

/** A file that is open; cheaper than a DisposableStack, for each of many. */
export class OpenFile implements Disposable {
  readonly fd: number;

  constructor(path: string | Buffer, flags: string | number = 'r') {
    this.fd = openSync(path, flags);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

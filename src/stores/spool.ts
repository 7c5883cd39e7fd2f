/**
 * Keeps what is to be uploaded until all of it is there: what is sent has a name and a length, and can be sent again. A
 * little is kept in memory, the rest in a file that has no name, so that nothing is left of it whatever happens.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreError } from '../errors.ts';
import type { SendBody } from './http/send.ts';

/** In bytes: what is larger goes to a file. */
const IN_MEMORY = 1024 * 1024;
/** In bytes: so much goes to the file in one write. */
const WRITE_SIZE = 256 * 1024;

export class Spool implements SendBody, Disposable {
  #chunks: Uint8Array[] = [];
  /** Of `#chunks`, in bytes. */
  #kept = 0;
  #size = 0;
  #file: number | undefined;
  #disposed = false;

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Takes the next chunk, which is the caller's again on return.
   *
   * @throws {StoreError} where there is no room for it.
   */
  push(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#kept += chunk.length;
    this.#size += chunk.length;
    if (this.#kept > (this.#file === undefined ? IN_MEMORY : WRITE_SIZE)) this.#spill();
  }

  /** A part, in memory: less than `size` bytes where it ends before. */
  read(start: number, size: number): Uint8Array {
    if (this.#disposed) throw new Error('unreachable: read after the end');
    const end = Math.min(this.#size, start + size);
    if (this.#file === undefined) {
      if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
      return this.#chunks[0]?.subarray(start, end) ?? new Uint8Array();
    }
    this.#spill();
    const bytes = Buffer.allocUnsafe(Math.max(0, end - start));
    for (let filled = 0; filled < bytes.length; ) {
      const count = readSync(this.#file, bytes, filled, bytes.length - filled, start + filled);
      if (count === 0) throw new Error('unreachable: a spool has become shorter');
      filled += count;
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#chunks = [];
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Moves what is in memory to the file. */
  #spill(): void {
    try {
      this.#file ??= openUnnamed();
      const bytes = Buffer.concat(this.#chunks.splice(0));
      this.#kept = 0;
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    } catch (cause) {
      const problem = (cause as Error).message;
      throw new StoreError(`cannot keep in '${tmpdir()}' what is to be uploaded: ${problem}`, {
        cause,
        hint: 'environment variable TMPDIR names another directory',
      });
    }
  }
}

function openUnnamed(): number {
  const path = join(tmpdir(), `sluice-upload-${process.pid}-${randomBytes(8).toString('hex')}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}

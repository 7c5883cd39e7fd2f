/** A binary cache in a directory: `file:///path`. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fchmodSync, openSync, readSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, SubstituteGoneError, TransferError } from '../errors.ts';
import { quote } from '../formats/quote.ts';
import type { PutOptions, StreamOptions, WritableTransport } from './cache-transport.ts';
import { fsHint, isSystemError } from './fs-errors.ts';
import { makeDirectory } from './make-directory.ts';
import type { QueryOptions, Sink } from './store.ts';

const CHUNK_SIZE = 128 * 1024;
/** How much is read before other work of the thread has its turn. */
const TURN_SIZE = 8 * CHUNK_SIZE;

export class FileTransport implements WritableTransport {
  readonly uri: string;
  readonly mayBeNew = true;
  readonly isLocal = true;
  readonly #dir: string;

  /** @param dir - absolute; made by the first {@link FileTransport.putFile} where it is missing. */
  constructor(uri: string, dir: string) {
    this.uri = uri;
    this.#dir = dir;
  }

  async getFile(name: string, maxSize: number, { signal }: QueryOptions = {}): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    try {
      await using file = await open(this.#locate(name));
      // One byte more than it may have tells whether it is too large, whatever stat says of it.
      const { size } = await file.stat();
      const buffer = new Uint8Array(Math.min(size, maxSize) + 1);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      if (bytesRead > maxSize) throw new TransferError(`${this.#describe(name)} has more than ${maxSize} bytes`);
      if (bytesRead === buffer.length) throw new TransferError(`${this.#describe(name)} grew while it was read`);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#wrap(error, 'read', name);
    }
  }

  /**
   * Reads on the calling thread: from the page cache, where a chunk takes 10 µs, the way through libuv's pool takes as
   * long again, and that pool has 4 threads for all workers together.
   */
  async streamFile(name: string, sink: Sink, { signal, onDownload, offset = 0 }: StreamOptions = {}): Promise<void> {
    using cleanup = new DisposableStack();
    const file = cleanup.adopt(this.#open(name), closeSync);
    const buffer = new Uint8Array(CHUNK_SIZE);
    let position = offset;
    for (let turn = 0; ; ) {
      signal?.throwIfAborted();
      const bytesRead = this.#read(file, buffer, position, name);
      if (bytesRead === 0) return;
      position += bytesRead;
      onDownload?.(bytesRead);
      const taken = sink(buffer.subarray(0, bytesRead));
      if (taken instanceof Promise) await taken;
      turn += bytesRead;
      if (turn < TURN_SIZE) continue;
      turn = 0;
      await new Promise(setImmediate);
    }
  }

  async putFile(pour: (sink: Sink) => Promise<string>, { unlessExists }: PutOptions = {}): Promise<void> {
    await using cleanup = new AsyncDisposableStack();
    using files = new DisposableStack();
    const temporary = join(this.#dir, `tmp-sluice-${process.pid}-${randomBytes(8).toString('hex')}`);
    cleanup.defer(() => rm(temporary, { force: true }));
    const file = files.adopt(this.#create(temporary), closeSync);
    const name = await pour((chunk) => this.#write(file, chunk));
    try {
      fchmodSync(file, 0o644); // whatever the umask is: caches are there to be read
      files.dispose();
      const path = this.#locate(name);
      if (unlessExists && existsSync(path)) return;
      makeDirectory(dirname(path), 0o755);
      await rename(temporary, path);
    } catch (cause) {
      throw this.#wrap(cause, 'write', name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** A cache is not to reach out of its directory, whatever its narinfo files say. */
  #locate(name: string): string {
    const components = name.split('/');
    if (name.includes('\0') || components.some((part) => part === '' || part === '.' || part === '..')) {
      throw new FormatError('URL', 0, `${quote(name)} names no file of the binary cache '${this.uri}'`);
    }
    return join(this.#dir, name);
  }

  #open(name: string): number {
    try {
      return openSync(this.#locate(name), 'r');
    } catch (cause) {
      if (isMissing(cause)) throw new SubstituteGoneError(`there is no ${this.#describe(name)}`, { cause });
      throw this.#wrap(cause, 'open', name);
    }
  }

  #read(file: number, buffer: Uint8Array, position: number, name: string): number {
    try {
      return readSync(file, buffer, 0, buffer.length, position);
    } catch (cause) {
      throw this.#wrap(cause, 'read', name);
    }
  }

  #create(file: string): number {
    try {
      makeDirectory(this.#dir, 0o755);
      return openSync(file, 'wx');
    } catch (cause) {
      throw this.#cannotWrite(cause);
    }
  }

  #write(file: number, chunk: Uint8Array): void {
    try {
      writeFileSync(file, chunk); // a descriptor goes on where the last one ended
    } catch (cause) {
      throw this.#cannotWrite(cause);
    }
  }

  #cannotWrite(cause: unknown): unknown {
    if (!isSystemError(cause)) return cause;
    const problem = `cannot write to binary cache '${this.uri}': ${cause.message}`;
    return new TransferError(problem, { cause, hint: fsHint(cause.code) });
  }

  #describe(name: string): string {
    return `${quote(name)} in binary cache '${this.uri}'`;
  }

  #wrap(cause: unknown, verb: string, name: string): unknown {
    if (!isSystemError(cause)) return cause;
    const problem = `cannot ${verb} ${this.#describe(name)}: ${cause.message}`;
    return new TransferError(problem, { cause, hint: fsHint(cause.code) });
  }
}

function isMissing(error: unknown): boolean {
  return isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

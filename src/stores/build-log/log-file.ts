/**
 * Log files: `LOGDIR/drvs/xx/REST`, where `xxREST` is the base name of the derivation, or the same with `.bz2`.
 *
 * Source: Nix 2.35 libstore/build/derivation-building-goal.cc, openLogFile; libstore/local-fs-store.cc, getBuildLogExact.
 */
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, StoreError } from '../../errors.ts';
import type { StorePath } from '../../formats/store-path.ts';
import { EngineCodec } from '../compression/codec.ts';
import { openBz2Encoder } from '../compression/libbz2-encoder.ts';
import { openDecoder } from '../compression.ts';
import { asStoreError } from '../fs-errors.ts';
import type { QueryOptions, Sink } from '../store.ts';

const DRVS = 'drvs';
const BZ2 = '.bz2';
/** Bytes that are held before they are compressed and written. */
const BUFFER_SIZE = 64 * 1024;
/** Of bzip2: a block of 100 kB takes 10 ms of the thread, one of 900 kB ten times as much for files of nearly the same size. */
const LEVEL = 1;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/** A log on its way to its file. Synchronous: for worker threads. Dispose it: what is not finished is removed then. */
export interface BuildLogFile extends Disposable {
  /**
   * Adds what a builder printed.
   *
   * @throws {StoreError} where the file system refuses.
   */
  write(chunk: Uint8Array): void;
  /** Makes it appear, in the place of an older log. */
  finish(): void;
}

export interface LogFileOptions {
  /** Whether it is written as bzip2, where the system has that. */
  readonly compress: boolean;
}

/**
 * Opens the log of a derivation, of which there is only one at a time: who builds it holds the locks of its outputs.
 *
 * @throws {StoreError} where the file system refuses.
 */
export function openLogFile(logDir: string, drvPath: StorePath, { compress }: LogFileOptions): BuildLogFile {
  const plain = join(logDir, DRVS, drvPath.slice(0, 2), drvPath.slice(2));
  return refusals(plain, () => new LogFile(plain, compress));
}

class LogFile implements BuildLogFile {
  readonly #plain: string;
  readonly #name: string;
  /** Where it lies until it is whole. One that a killed process left is the next one's. */
  readonly #temporary: string;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_SIZE);
  readonly #encoder: EngineCodec | undefined;
  #file: number | undefined;
  #length = 0;

  constructor(plain: string, compress: boolean) {
    const engine = compress ? openBz2Encoder(LEVEL) : undefined;
    this.#encoder = engine && new EngineCodec(engine, (chunk) => this.#write(chunk), 'build log');
    this.#plain = plain;
    this.#name = engine === undefined ? plain : plain + BZ2;
    this.#temporary = `${plain}.part`;
    mkdirSync(dirname(plain), { recursive: true });
    this.#file = openSync(this.#temporary, CREATE, 0o666);
  }

  write(chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; ) {
      const piece = chunk.subarray(start, start + BUFFER_SIZE - this.#length);
      this.#buffer.set(piece, this.#length);
      this.#length += piece.length;
      start += piece.length;
      if (this.#length === BUFFER_SIZE) refusals(this.#name, () => this.#flush());
    }
  }

  finish(): void {
    refusals(this.#name, () => {
      this.#flush();
      this.#encoder?.finish();
      this.#close();
      renameSync(this.#temporary, this.#name);
      // Readers look for the plain one first.
      rmSync(this.#name === this.#plain ? this.#plain + BZ2 : this.#plain, { force: true });
    });
  }

  [Symbol.dispose](): void {
    this.#encoder?.[Symbol.dispose]();
    if (this.#file === undefined) return;
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (this.#encoder === undefined) this.#write(bytes);
    else this.#encoder.push(bytes);
  }

  #write(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file!, bytes, written);
  }

  #close(): void {
    const file = this.#file!;
    this.#file = undefined;
    closeSync(file);
  }
}

function refusals<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asStoreError(`cannot write build log '${name}'`, error);
  }
}

/**
 * Pours the log of a derivation into `sink`.
 *
 * @returns whether there is one.
 * @throws {StoreError} where it cannot be read.
 */
export async function pourLogFile(
  logDir: string,
  drvPath: StorePath,
  sink: Sink,
  { signal }: QueryOptions = {},
): Promise<boolean> {
  const names = [join(drvPath.slice(0, 2), drvPath.slice(2)), drvPath].map((name) => join(logDir, DRVS, name));
  for (const name of names.flatMap((plain) => [plain, plain + BZ2])) {
    try {
      await using file = await open(name);
      using decoder = openDecoder(name.endsWith(BZ2) ? 'bzip2' : 'none', sink, { what: `build log '${name}'` });
      for await (const chunk of file.createReadStream({ autoClose: false, ...(signal && { signal }) })) {
        await decoder.push(chunk as Uint8Array);
      }
      await decoder.finish();
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      signal?.throwIfAborted();
      if (error instanceof FormatError) throw new StoreError(error.message, { cause: error });
      throw asStoreError(`cannot read build log '${name}'`, error);
    }
  }
  return false;
}

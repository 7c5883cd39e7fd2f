/** Reads configuration files to their end, and not further than a bound for all of them together. */
import { closeSync, openSync, readSync } from 'node:fs';
import { UsageError } from '../errors.ts';

/** Bytes that all files of one configuration have together; real ones have a few thousand. */
const MAX_SIZE = 2 ** 20;
const CHUNK_SIZE = 16 * 1024;

export class TextFiles {
  #left = MAX_SIZE;

  /**
   * Reads a file, or whatever else can be read, such as the pipe that a shell makes of `<(…)`.
   *
   * @throws {UsageError} where the files are too large. What the system says passes through.
   */
  read(path: string): string {
    using stack = new DisposableStack();
    const file = stack.adopt(openSync(path, 'r'), closeSync);
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
      const length = readSync(file, chunk);
      if (length === 0) return Buffer.concat(chunks).toString();
      this.count(length, path);
      chunks.push(chunk.subarray(0, length));
    }
  }

  /** Counts text that came from elsewhere. */
  count(length: number, source: string): void {
    this.#left -= length;
    if (this.#left < 0) throw new UsageError(`${source}: configuration files have more than ${MAX_SIZE} bytes`);
  }
}

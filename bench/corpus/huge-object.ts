/** One store object of any size with contents as programs have them: files of this machine, one after another. */
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CorpusObject, corpusPath } from '../../test/support/corpus.ts';

/** Where programs are. When these hold too little they are read again: far beyond the memory of any decoder. */
const SOURCES = ['/usr/bin', '/usr/lib', '/usr/share'];
/** Bytes of each file of the object but the last. */
const PART_SIZE = 64 * 2 ** 20;

/**
 * Writes an object whose files have exactly `size` bytes together. It is the same as long as the machine has the same
 * files.
 *
 * @param sources - directories; at least one of their files must not be empty.
 */
export async function makeHugeObject(
  directory: string,
  size: number,
  sources: readonly string[] = SOURCES,
): Promise<CorpusObject[]> {
  const path = corpusPath('huge');
  const location = join(directory, path);
  await mkdir(location, { recursive: true });
  await using parts = new Parts(location, size);
  while (!parts.full) {
    const before = parts.written;
    for (const source of sources) await copyFiles(source, parts);
    if (parts.written === before) throw new Error(`there is nothing to read in ${sources.join(', ')}`);
  }
  return [{ path, location, references: [] }];
}

async function copyFiles(directory: string, parts: Parts): Promise<void> {
  const entries = await Array.fromAsync(await opendir(directory));
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (parts.full) return;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await copyFiles(path, parts);
    else if (entry.isFile()) for await (const chunk of createReadStream(path)) await parts.write(chunk as Buffer);
  }
}

/** Files of one size that are written one after another, until all have a given size together. */
class Parts implements AsyncDisposable {
  readonly #location: string;
  readonly #size: number;
  #part: FileHandle | undefined;
  written = 0;

  constructor(location: string, size: number) {
    this.#location = location;
    this.#size = size;
  }

  get full(): boolean {
    return this.written >= this.#size;
  }

  /** What is too much is left out. */
  async write(chunk: Buffer): Promise<void> {
    let rest = chunk.subarray(0, this.#size - this.written);
    while (rest.length > 0) {
      const room = PART_SIZE - (this.written % PART_SIZE);
      if (room === PART_SIZE) await this.#next();
      const bytes = rest.subarray(0, room);
      await this.#part!.writeFile(bytes);
      this.written += bytes.length;
      rest = rest.subarray(bytes.length);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#part?.close();
  }

  async #next(): Promise<void> {
    await this.#part?.close();
    const number = String(this.written / PART_SIZE).padStart(3, '0');
    this.#part = await open(join(this.#location, `part-${number}`), 'wx');
  }
}

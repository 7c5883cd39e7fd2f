/** A store in memory, empty when it is opened: for tests, and as the smallest example of what a store is. */
import { InvalidPathError } from '../errors.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StoreDir, type StorePath } from '../formats/store-path.ts';
import type { NarOptions, NarSource, QueryOptions, Sink, Store } from './store.ts';
import { verifyNar } from './verify-nar.ts';

const CHUNK_SIZE = 64 * 1024;

interface Entry {
  readonly info: PathInfo;
  readonly nar: Uint8Array;
}

export class MemoryStore implements Store {
  readonly uri = 'memory://';
  /** Opens an empty one: what is in memory stays in its thread. */
  readonly openUri = 'memory://';
  readonly storeDir: StoreDir;
  readonly #entries = new Map<StorePath, Entry>();

  constructor(storeDir: StoreDir) {
    this.storeDir = storeDir;
  }

  async queryPathInfo(path: StorePath, { signal }: QueryOptions = {}): Promise<PathInfo | undefined> {
    signal?.throwIfAborted();
    return this.#entries.get(path)?.info;
  }

  async isValidPath(path: StorePath, { signal }: QueryOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.#entries.has(path);
  }

  async narFromPath({ path }: PathInfo, sink: Sink, { signal, onDownload }: NarOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const nar = this.#entries.get(path)?.nar;
    if (nar === undefined) throw this.#invalid(path);
    for (let start = 0; start < nar.length; start += CHUNK_SIZE) {
      const chunk = nar.subarray(start, start + CHUNK_SIZE);
      onDownload?.(chunk.length);
      await sink(chunk);
      signal?.throwIfAborted();
    }
  }

  async addToStore(info: PathInfo, nar: NarSource, { signal }: QueryOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#entries.has(info.path)) return;
    for (const reference of info.references) {
      if (reference === info.path || this.#entries.has(reference)) continue;
      const hint = `add it first: '${printStorePath(this.storeDir, info.path)}' refers to it`;
      throw this.#invalid(reference, hint);
    }
    const chunks: Uint8Array[] = [];
    await verifyNar(
      this.storeDir,
      info,
      nar,
    )((chunk) => {
      signal?.throwIfAborted();
      chunks.push(new Uint8Array(chunk));
    });
    this.#entries.set(info.path, { info, nar: Buffer.concat(chunks) });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #invalid(path: StorePath, hint?: string): InvalidPathError {
    return new InvalidPathError(printStorePath(this.storeDir, path), this.uri, hint === undefined ? {} : { hint });
  }
}

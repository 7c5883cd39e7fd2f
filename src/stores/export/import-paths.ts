/**
 * Takes store objects from the stream that `nix-store --export` writes. What is unpacked waits in a staging directory
 * until there is a batch of it, and is made valid while more is read; memory is bounded whatever the stream holds.
 *
 * The stream has no signatures, and as in Nix none is asked for: who may write to a store's database may say what is in
 * it. Where the stream ends early or is broken, what was complete before stays valid.
 *
 * Source: Nix 2.35 libstore/export-import.cc; nix-store imports with NoCheckSigs, in 2.8 as well.
 */
import { createHash, type Hash as Hasher } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type ExportedPath, ExportParser, type ExportVisitor, type NarReader } from '../../formats/export-stream.ts';
import type { Hash } from '../../formats/hash.ts';
import type { StorePath } from '../../formats/store-path.ts';
import type { LocalStore } from '../local-store.ts';
import { NarRestorer } from '../nar-fs.ts';
import type { StagedPath } from '../staged-path.ts';
import { abortable } from './abortable.ts';
import { ImportBatches } from './import-batches.ts';

export interface ImportOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when a path is valid, in the stream's order. */
  readonly onImported?: ((imported: ImportedPath) => void) | undefined;
}

export interface ImportedPath {
  readonly path: StorePath;
  /** Nothing was changed: what the store has stays. */
  readonly wasValid: boolean;
}

/** What is unpacked in one go, in bytes: the event loop gets a turn after some of these. */
const SLICE = 64 * 1024;
const SLICES_A_TURN = 16;

/**
 * Reads a stream up to its end, and no further, and makes valid what it holds.
 *
 * @throws {FormatError} on what is no such stream, or only the beginning of one; {@link IncompleteClosureError} on a path
 *   that refers to one that is not valid and did not come before; {@link StoreError} where the store refuses.
 */
export async function importPaths(
  store: LocalStore,
  source: AsyncIterable<Uint8Array>,
  { signal, onImported }: ImportOptions = {},
): Promise<void> {
  await using staging = await store.openStaging();
  await using batches = new ImportBatches(store, { signal, onImported });
  using unpacker = new Unpacker(staging.dir, (staged) => batches.add(staged));
  const parser = new ExportParser(store.storeDir, unpacker);
  try {
    await readStream(parser, source, batches, signal);
    parser.finish();
  } catch (error) {
    if (!signal?.aborted) await batches.finish().catch(() => {}); // the first error is the one that tells
    throw error;
  }
  await batches.finish();
}

async function readStream(
  parser: ExportParser,
  source: AsyncIterable<Uint8Array>,
  batches: ImportBatches,
  signal: AbortSignal | undefined,
): Promise<void> {
  let slices = 0;
  for await (const chunk of abortable(source, signal)) {
    for (let start = 0; start < chunk.length; start += SLICE) {
      parser.push(chunk.subarray(start, start + SLICE));
      if (parser.ended) return;
      await batches.makeRoom();
      if (++slices % SLICES_A_TURN === 0) await setImmediate();
      signal?.throwIfAborted();
    }
  }
}

/** Unpacks each NAR into a file name of its own, and hashes it on the way. */
class Unpacker implements ExportVisitor, Disposable {
  readonly #dir: string;
  readonly #onStaged: (staged: StagedPath) => void;
  #count = 0;
  #nar: StagedNar | undefined;

  constructor(dir: string, onStaged: (staged: StagedPath) => void) {
    this.#dir = dir;
    this.#onStaged = onStaged;
  }

  startNar(): NarReader {
    this.#nar = new StagedNar(join(this.#dir, String(this.#count++)));
    return this.#nar;
  }

  endPath(exported: ExportedPath): void {
    const { location, narSize, narHash } = this.#nar!.finish();
    this.#onStaged({ location, info: { ...exported, narHash, narSize, signatures: [] } });
  }

  [Symbol.dispose](): void {
    this.#nar?.[Symbol.dispose]();
  }
}

class StagedNar implements NarReader, Disposable {
  readonly #location: string;
  readonly #restorer: NarRestorer;
  readonly #hasher: Hasher = createHash('sha256');
  #narSize = 0;

  constructor(location: string) {
    this.#location = location;
    this.#restorer = new NarRestorer(location);
  }

  get ended(): boolean {
    return this.#restorer.ended;
  }

  take(chunk: Uint8Array): number {
    const taken = this.#restorer.take(chunk);
    this.#hasher.update(chunk.subarray(0, taken));
    this.#narSize += taken;
    return taken;
  }

  /** What came, once it has ended. */
  finish(): { readonly location: string; readonly narHash: Hash; readonly narSize: number } {
    const narHash = { algorithm: 'sha256', digest: this.#hasher.digest() } as const;
    return { location: this.#location, narHash, narSize: this.#narSize };
  }

  [Symbol.dispose](): void {
    this.#restorer[Symbol.dispose]();
  }
}

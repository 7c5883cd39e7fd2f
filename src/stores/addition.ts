/**
 * What is to be added to a store: its bytes as a NAR, and the store path that follows from them.
 *
 * Source: Nix 2.35 manual, "Content-Addressing Store Objects"; libstore/local-store.cc, LocalStore::addToStoreFromDump.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { StoreError } from '../errors.ts';
import { contentAddressedPath } from '../formats/content-address.ts';
import type { HashAlgorithm } from '../formats/hash.ts';
import { ARCHIVE_START, fileEnd, fileStart } from '../formats/nar-writer.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { checkPathName, type StoreDir, type StorePath } from '../formats/store-path.ts';
import { dumpNar, type PathFilter } from './nar-fs.ts';
import type { Sink } from './store.ts';

/** How what is added is addressed: `nar` by all of a tree, `flat` and `text` by the contents of one file. */
export const ADD_METHODS = ['nar', 'flat', 'text'] as const;
/** One of {@link ADD_METHODS}. */
export type AddMethod = (typeof ADD_METHODS)[number];

export interface Addition {
  /** What the store path says after its hash part. */
  readonly name: string;
  readonly method: AddMethod;
  readonly algorithm: HashAlgorithm;
  readonly references: readonly StorePath[];
  /** Pours the NAR into a sink, and what it holds, where that is a single file, into another as well. */
  readonly pour: (nar: Sink, contents: (chunk: Uint8Array) => void) => Promise<void>;
}

const CHUNK_SIZE = 128 * 1024;
/** After so many milliseconds of reading and hashing the event loop gets a turn. */
const LONGEST_TURN = 8;

/** A tree, as it is. */
export function treeSource(path: string, filter: PathFilter | undefined): Addition['pour'] {
  return (nar) => dumpNar(path, nar, { filter });
}

/**
 * The contents of a file; whether it is executable is left out.
 *
 * @throws {StoreError} later, on anything but a regular file.
 */
export function fileSource(path: string): Addition['pour'] {
  return async (nar, contents) => {
    using opened = new DisposableStack();
    const { O_RDONLY, O_NONBLOCK } = constants;
    const fd = opened.adopt(openSync(path, O_RDONLY | O_NONBLOCK), closeSync);
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new StoreError(`'${path}' is no regular file, as a flat hash wants it`);
    await nar(Buffer.from(ARCHIVE_START + fileStart(false, stats.size), 'latin1'));
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, Math.max(1, stats.size)));
    for (let left = stats.size; left > 0; ) {
      const read = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
      if (read === 0) throw new StoreError(`'${path}' became shorter while it was read`);
      const chunk = buffer.subarray(0, read);
      contents(chunk);
      await nar(chunk);
      left -= read;
    }
    await nar(Buffer.from(fileEnd(stats.size), 'latin1'));
  };
}

/** A file with these bytes. */
export function bytesSource(bytes: Uint8Array): Addition['pour'] {
  return async (nar, contents) => {
    await nar(Buffer.from(ARCHIVE_START + fileStart(false, bytes.length), 'latin1'));
    contents(bytes);
    if (bytes.length > 0) await nar(bytes);
    await nar(Buffer.from(fileEnd(bytes.length), 'latin1'));
  };
}

/**
 * Reads what is to be added, once, and says what a store will know of it.
 *
 * @param sink - takes the NAR meanwhile.
 * @throws {FormatError} on a bad name, and on references that the method does not allow.
 */
export async function readAddition(
  storeDir: StoreDir,
  { name, method, algorithm, references, pour }: Addition,
  { sink, signal }: { readonly sink?: Sink; readonly signal?: AbortSignal | undefined } = {},
): Promise<PathInfo> {
  checkPathName(name);
  const narHasher = createHash('sha256');
  const hasher = method === 'nar' && algorithm === 'sha256' ? undefined : createHash(algorithm);
  let narSize = 0;
  let turn = performance.now();
  await pour(
    (chunk) => {
      signal?.throwIfAborted();
      narSize += chunk.length;
      narHasher.update(chunk);
      if (method === 'nar') hasher?.update(chunk);
      const taken = sink?.(chunk);
      if (performance.now() - turn < LONGEST_TURN) return taken;
      return Promise.resolve(taken)
        .then(() => setImmediate())
        .then(() => {
          turn = performance.now();
        });
    },
    (chunk) => void hasher?.update(chunk),
  );
  const narHash = { algorithm: 'sha256', digest: new Uint8Array(narHasher.digest()) } as const;
  const hash = hasher === undefined ? narHash : { algorithm, digest: new Uint8Array(hasher.digest()) };
  const contentAddress = { method, hash };
  const sorted = [...new Set(references)].sort();
  const path = contentAddressedPath(storeDir, name, contentAddress, sorted);
  return { path, narHash, narSize, references: sorted, signatures: [], contentAddress };
}

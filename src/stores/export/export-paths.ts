/**
 * Writes store objects as `nix-store --export` does. They can be of any store; what a store holds that is not what it
 * was when it was registered is refused, so that it does not spread.
 *
 * Source: Nix 2.35 libstore/export-import.cc.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { HashMismatchError } from '../../errors.ts';
import { EXPORT_END, EXPORT_NEXT, printExported } from '../../formats/export-stream.ts';
import { type Hash, hashesEqual, printHash } from '../../formats/hash.ts';
import type { PathInfo } from '../../formats/path-info.ts';
import { printStorePath } from '../../formats/store-path.ts';
import type { Sink, Store } from '../store.ts';
import { WriteBehind } from './write-behind.ts';

export interface ExportOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when a path is about to be written. */
  readonly onPath?: ((info: PathInfo) => void) | undefined;
}

/** The event loop gets a turn after so many bytes. */
const TURN = 2 ** 20;

/**
 * Writes objects, and the end of the stream.
 *
 * @param infos - references first, or nobody can import them.
 * @param sink - what has gone there is worth nothing where this throws.
 * @throws {HashMismatchError} on contents that are not what was registered; {@link InvalidPathError} on a path that is
 *   gone.
 */
export async function exportPaths(
  store: Store,
  infos: Iterable<PathInfo>,
  sink: Sink,
  { signal, onPath }: ExportOptions = {},
): Promise<void> {
  const writer = new WriteBehind(sink);
  for (const info of infos) {
    onPath?.(info);
    await writer.push(EXPORT_NEXT);
    await pourNar(store, info, writer.push, signal);
    await writer.push(printExported(store.storeDir, info));
  }
  await writer.push(EXPORT_END);
  await writer.flush();
}

/**
 * Pours the NAR of a path, and checks at its end that it was what the store announced. The event loop gets its turns
 * whatever the sink does.
 *
 * @throws {HashMismatchError} where it was not.
 */
export async function pourNar(store: Store, info: PathInfo, sink: Sink, signal?: AbortSignal): Promise<void> {
  const hasher = createHash(info.narHash.algorithm);
  let sinceTurn = 0;
  await store.narFromPath(
    info,
    async (chunk) => {
      hasher.update(chunk);
      await sink(chunk);
      sinceTurn += chunk.length;
      if (sinceTurn < TURN) return;
      sinceTurn = 0;
      await setImmediate();
      signal?.throwIfAborted();
    },
    { signal },
  );
  await setImmediate();
  signal?.throwIfAborted();
  const got = { algorithm: info.narHash.algorithm, digest: hasher.digest() };
  if (hashesEqual(info.narHash, got) || isUnknown(info.narHash)) return;
  const what = `contents of '${printStorePath(store.storeDir, info.path)}'`;
  throw new HashMismatchError(what, printHash(info.narHash, 'nix32'), printHash(got, 'nix32'), {
    hint: 'the path has changed since it was registered: repair it first',
  });
}

/** Zeros stand in databases for a hash that nobody has computed yet. */
function isUnknown({ digest }: Hash): boolean {
  return digest.every((byte) => byte === 0);
}

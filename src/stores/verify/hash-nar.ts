/** Hashing of what lies at a file name, as a NAR. Nearly synchronous: for worker threads. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Hash } from '../../formats/hash.ts';
import { NarWindow } from './nar-window.ts';
import { readNar } from './read-nar.ts';

/** Bytes after which the event loop gets a turn, to hear of what was cancelled. */
const BREATH = 32 * 1024 * 1024;

export interface HashedNar {
  readonly narHash: Hash;
  readonly narSize: number;
}

/**
 * @param onBytes - called with lengths that add up to the NAR's.
 * @throws {StoreError} on anything but files, directories and symlinks, and where a file changes meanwhile; the error of
 *   the system; the reason of `signal`.
 */
export async function hashNar(
  realPath: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<HashedNar> {
  const hash = createHash('sha256');
  let sinceBreath = 0;
  using window = new NarWindow();
  const flush = (): void => {
    const bytes = window.takeAll();
    hash.update(bytes);
    sinceBreath += bytes.length;
    onBytes(bytes.length);
  };
  for (const _ of readNar(realPath, window)) {
    flush();
    if (sinceBreath < BREATH) continue;
    sinceBreath = 0;
    await setImmediate();
    signal.throwIfAborted();
  }
  flush();
  return { narHash: { algorithm: 'sha256', digest: hash.digest() }, narSize: window.filled };
}

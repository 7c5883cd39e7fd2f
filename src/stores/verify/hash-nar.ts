/**
 * Hashing of what lies at a file name, as a NAR: what dumpNar pours, hashed. Without its generators, since nothing else
 * is done here: of many small files that takes half the time. Nearly synchronous: for worker threads.
 *
 * Source: Nix 2.35 manual, "Nix Archive (NAR) format".
 */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { StoreError } from '../../errors.ts';
import type { Hash } from '../../formats/hash.ts';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from '../../formats/nar-writer.ts';
import { NarBuffer, OpenFile } from '../nar-buffer.ts';
import { bytePath, fsPath } from '../optimise/byte-path.ts';

/** Bytes after which the event loop gets a turn, to hear of what was cancelled. */
const BREATH = 32 * 1024 * 1024;

export interface HashedNar {
  readonly narHash: Hash;
  readonly narSize: number;
}

/** What comes next: bytes of the NAR, as a byte string, or what lies at a file name. */
type Pending = { readonly token: string } | { readonly path: string };

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
  using buffered = new NarBuffer((chunk) => {
    hash.update(chunk);
    sinceBreath += chunk.length;
    onBytes(chunk.length);
  });
  const pending: Pending[] = [{ path: bytePath(realPath) }, { token: ARCHIVE_START }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if ('token' in next) {
      buffered.put(next.token);
      continue;
    }
    const path = fsPath(next.path);
    const stats = lstatSync(path);
    if (stats.isFile()) {
      buffered.put(fileStart((stats.mode & 0o100) !== 0, stats.size));
      using opened = new OpenFile(path);
      for (let left = stats.size; left > 0; ) {
        left -= buffered.read(opened.fd, left, next.path).length;
        if (sinceBreath < BREATH) continue;
        sinceBreath = 0;
        await setImmediate();
        signal.throwIfAborted();
      }
      buffered.put(fileEnd(stats.size));
    } else if (stats.isDirectory()) {
      buffered.put(DIRECTORY_START);
      pending.push({ token: DIRECTORY_END });
      for (const name of readdirSync(path, 'latin1').sort().reverse()) {
        pending.push({ token: ENTRY_END }, { path: `${next.path}/${name}` }, { token: entryStart(name) });
      }
    } else if (stats.isSymbolicLink()) buffered.put(symlink(readlinkSync(path, 'latin1')));
    else throw new StoreError(`'${path}' is neither file, directory nor symlink`);
  }
  buffered.flush();
  return { narHash: { algorithm: 'sha256', digest: hash.digest() }, narSize: buffered.taken };
}

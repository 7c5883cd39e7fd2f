/**
 * Hashing of what lies at a file name, as a NAR: what dumpNar pours, hashed. Without its generators, since nothing else
 * is done here: of many small files that takes half the time. Nearly synchronous: for worker threads.
 *
 * Source: Nix 2.35 manual, "Nix Archive (NAR) format".
 */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
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
import { bytePath, fsPath } from '../optimise/byte-path.ts';

/** Enough to make system calls rare, little enough to stay in the cache. */
const BUFFER_SIZE = 128 * 1024;
/** Bytes after which the event loop gets a turn, to hear of what was cancelled. */
const BREATH = 32 * 1024 * 1024;

export interface HashedNar {
  readonly narHash: Hash;
  readonly narSize: number;
}

/** What comes next: bytes of the NAR, as a byte string, or what lies at a file name. */
type Pending = { readonly token: string } | { readonly path: string };

/** The buffer that nobody uses. */
let spare: Buffer | undefined;

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
  using buffered = new BufferedHash(onBytes);
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
        left -= buffered.read(opened.fd, left, next.path);
        if (buffered.needsBreath) await breathe(buffered, signal);
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
  return buffered.finish();
}

async function breathe(buffered: BufferedHash, signal: AbortSignal): Promise<void> {
  buffered.breathed();
  await setImmediate();
  signal.throwIfAborted();
}

/** Cheaper than a DisposableStack, for each of many files. */
class OpenFile implements Disposable {
  readonly fd: number;

  constructor(path: string | Buffer) {
    this.fd = openSync(path, 'r');
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

class BufferedHash implements Disposable {
  readonly #hash = createHash('sha256');
  readonly #onBytes: (bytes: number) => void;
  readonly #buffer: Buffer;
  #length = 0;
  #narSize = 0;
  #sinceBreath = 0;

  constructor(onBytes: (bytes: number) => void) {
    this.#onBytes = onBytes;
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(BUFFER_SIZE);
    spare = undefined;
  }

  [Symbol.dispose](): void {
    spare = this.#buffer;
  }

  get needsBreath(): boolean {
    return this.#sinceBreath >= BREATH;
  }

  breathed(): void {
    this.#sinceBreath = 0;
  }

  /** Adds a byte string, which is shorter than the buffer. */
  put(token: string): void {
    if (this.#length + token.length > BUFFER_SIZE) this.#flush();
    this.#length += this.#buffer.write(token, this.#length, 'latin1');
  }

  /** Adds what comes next in a file, at most `most` bytes. */
  read(fd: number, most: number, name: string): number {
    if (this.#length === BUFFER_SIZE) this.#flush();
    const room = Math.min(most, BUFFER_SIZE - this.#length);
    const read = readSync(fd, this.#buffer, this.#length, room, null);
    if (read === 0) throw new StoreError(`'${fsPath(name)}' became shorter while it was read`);
    this.#length += read;
    return read;
  }

  finish(): HashedNar {
    this.#flush();
    return { narHash: { algorithm: 'sha256', digest: this.#hash.digest() }, narSize: this.#narSize };
  }

  #flush(): void {
    this.#hash.update(this.#length === BUFFER_SIZE ? this.#buffer : this.#buffer.subarray(0, this.#length));
    this.#narSize += this.#length;
    this.#sinceBreath += this.#length;
    this.#onBytes(this.#length);
    this.#length = 0;
  }
}

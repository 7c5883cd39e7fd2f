/**
 * The lock of whoever copies inputs to a machine, which all processes of this one share: `current-load/MACHINE.upload-lock`
 * in the state directory, as the build hook of Nix takes it. Builds at once need much the same inputs. Without the lock
 * each would be sent several times; and daemons such as that of Nix 2.8 leave a NAR unread whose path has just become
 * valid, and take it for the next path.
 *
 * Source: Nix 2.35 nix/build-remote/build-remote.cc; libstore/local-store.cc.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { backOff } from '../stores/back-off.ts';
import { asStoreError } from '../stores/fs-errors.ts';
import { loadLibc } from '../stores/libc.ts';

const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT;
/** In bytes, of a file's name. */
const LONGEST_NAME = 255;
/** In milliseconds, as in Nix: somebody who takes longer hangs, and it goes on without the lock. */
const LONGEST_WAIT = 15 * 60_000;

/**
 * Waits for the lock and takes it. It belongs to one build, not to the process.
 *
 * @param uri - by which the machine is configured.
 * @throws the reason of `signal`; {@link StoreError} where there can be no locks.
 */
export async function acquireUploadLock(
  stateDir: string,
  uri: string,
  signal: AbortSignal | undefined,
): Promise<Disposable> {
  const file = join(stateDir, 'current-load', nameFor(uri));
  using opened = new DisposableStack();
  try {
    const libc = loadLibc();
    mkdirSync(join(stateDir, 'current-load'), { recursive: true });
    const fd = opened.adopt(openSync(file, READ_WRITE_CREATE, 0o600), closeSync);
    const since = performance.now();
    for (let attempt = 0; !libc.tryLock(fd, 'exclusive', file); attempt++) {
      if (performance.now() - since > LONGEST_WAIT) break;
      await backOff(attempt, signal);
    }
    return opened.move();
  } catch (error) {
    signal?.throwIfAborted();
    throw asStoreError(`cannot lock '${file}'`, error);
  }
}

/** URIs with keys in them may be too long for a file. */
function nameFor(uri: string): string {
  const name = `${uri.replaceAll('/', '_')}.upload-lock`;
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name;
  return `${createHash('sha256').update(uri).digest('hex')}.upload-lock`;
}

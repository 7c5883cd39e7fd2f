/**
 * Replacing the contents of a valid path by good ones, which were staged: in one step where the system can exchange
 * two files, else in two, between which the path is missing.
 *
 * What a crash leaves behind. Before the exchange, the path is what it was. After it, what it should be; the old
 * contents are in a staging directory that the next run removes. Killed between two steps, the path is valid and
 * missing: the next repair finds that.
 *
 * What a power failure leaves behind. The new contents are durable before they get their name, as at registration. The
 * name itself may be lost: then the old contents are back.
 */
import { chmodSync, lstatSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { backOff } from './back-off.ts';
import { type ExchangeResult, exchange } from './exchange.ts';
import { asStoreError } from './fs-errors.ts';
import type { Libc } from './libc.ts';
import { tryLockPath } from './path-locks.ts';
import { removeTree } from './remove-tree.ts';

const OWNER_MAY_ALL = 0o700;

/**
 * Waits for the lock of a path, which somebody else who repairs it may hold for as long as a download takes. Whoever
 * holds a lock or anything that others wait for must not call this.
 */
export async function lockPath(libc: Libc, realPath: string, signal: AbortSignal | undefined): Promise<Disposable> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted();
    const lock = tryLockPath(libc, realPath);
    if (lock !== undefined) return lock;
    await backOff(attempt, signal);
  }
}

export interface ReplaceContext {
  readonly libc: Libc;
  readonly realStoreDir: string;
  /** Whether contents are made durable before they count. */
  readonly fsyncStorePaths: boolean;
  /** As {@link exchange}, which a test replaces. */
  readonly exchange?: typeof exchange;
}

/**
 * Puts what was staged at `location` in the place of `realPath`, and deletes what was there. The caller holds the
 * path's lock.
 *
 * @throws {StoreError} where the file system refuses; then both are where they were, or the path is missing.
 */
export async function replacePath(context: ReplaceContext, realPath: string, location: string): Promise<void> {
  try {
    if (context.fsyncStorePaths) await syncStore(context);
    const old = putInPlace(context, realPath, location);
    if (old !== undefined) await removeTree(old).catch(() => {}); // it goes with the staging directory
  } catch (error) {
    throw asStoreError(`cannot replace '${realPath}'`, error);
  }
}

async function syncStore({ libc, realStoreDir }: ReplaceContext): Promise<void> {
  await using directory = await open(realStoreDir);
  await libc.syncFileSystem(directory.fd, realStoreDir);
}

/** @returns where the old contents lie now; undefined where there were none. */
function putInPlace(context: ReplaceContext, realPath: string, location: string): string | undefined {
  const stats = lstatSync(realPath, { throwIfNoEntry: false });
  using restore = new DisposableStack();
  // A new parent is a new `..`, for which an ordinary user must be allowed to write to the directory itself.
  const mine = lstatSync(location);
  if (process.getuid?.() !== 0 && mine.isDirectory()) {
    chmodSync(location, mine.mode | OWNER_MAY_ALL);
    restore.defer(() => restoreMode([realPath, location], mine));
  }
  if (process.getuid?.() !== 0 && stats?.isDirectory()) chmodSync(realPath, stats.mode | OWNER_MAY_ALL);
  if (stats === undefined) {
    renameSync(location, realPath);
    return undefined;
  }
  const result = (context.exchange ?? exchange)(location, realPath);
  if (result === 'exchanged') return location;
  if (result !== 'unsupported') throw refused(result);
  const old = `${location}.old`;
  renameSync(realPath, old);
  renameSync(location, realPath);
  return old;
}

/** Wherever the directory with this inode is now. */
function restoreMode(places: readonly string[], { ino, mode }: { readonly ino: number; readonly mode: number }): void {
  const place = places.find((each) => lstatSync(each, { throwIfNoEntry: false })?.ino === ino);
  if (place !== undefined) chmodSync(place, mode & 0o7777);
}

/** As Node's own calls would throw it. */
function refused({ errno }: Exclude<ExchangeResult, string>): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${getSystemErrorMessage(-errno)}, exchange`), { code, errno: -errno });
}

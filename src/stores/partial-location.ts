/**
 * Where a local store keeps the parts of large downloads, by the hash of the file: the same file may come from any
 * cache. They lie beside the store's state, because whatever lies in its store directory collectors remove.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Hash, printDigest } from '../formats/hash.ts';
import { isNarInfo, type NarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { SpaceClaims } from './free-space.ts';
import { asStoreError } from './fs-errors.ts';
import type { Libc } from './libc.ts';
import { makeDirectory } from './make-directory.ts';

/** In bytes: what is not larger is soon there again, and many at once would be a burden to the disk. */
export const MIN_PARTIAL_SIZE: number = 64 * 1024 * 1024;
/** For how long parts are kept that nobody goes on with, in milliseconds. */
const MAX_AGE = 7 * 24 * 60 * 60 * 1000;
/** How many bytes all parts may have together that nobody goes on with; the oldest go first. */
const MAX_LEFT = 8 * 1024 ** 3;
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface PartialLocationContext {
  /** Of the store. */
  readonly stateDir: string;
  readonly libc: Libc;
  /** What transfers have claimed. */
  readonly space: Pick<SpaceClaims, 'hasRoomBeside'>;
}

/** Whether a part of a path's file would be kept. */
export function isWorthKeeping(
  info: PathInfo,
): info is NarInfo & { readonly fileHash: Hash; readonly fileSize: number } {
  return isNarInfo(info) && info.fileHash !== undefined && (info.fileSize ?? 0) > MIN_PARTIAL_SIZE;
}

/**
 * Gives the file name for the part of a large download, and removes what others have left for too long.
 *
 * @returns undefined where nothing is to be kept: the file is small or its hash not known, the directory cannot be made, or
 *   there is no room for it beside what is unpacked.
 */
export async function partialLocation(
  { stateDir, libc, space }: PartialLocationContext,
  info: PathInfo,
): Promise<string | undefined> {
  if (!isWorthKeeping(info)) return undefined;
  const dir = join(stateDir, 'sluice/partial');
  const name = `${info.fileHash.algorithm}-${printDigest(info.fileHash, 'nix32')}`;
  try {
    makeDirectory(dir, 0o700);
    await removeOldParts(dir, name, libc);
    if (!(await space.hasRoomBeside(dir, info.fileSize))) return undefined;
  } catch (error) {
    asStoreError(`cannot keep downloads in '${dir}'`, error);
    return undefined;
  }
  return join(dir, name);
}

/** @param wanted - the name of the one that is about to be used: it stays. */
async function removeOldParts(dir: string, wanted: string, libc: Libc): Promise<void> {
  const names = (await readdir(dir)).filter((name) => name !== wanted);
  const parts = await Promise.all(
    names.map(async (name) => {
      const path = join(dir, name);
      const stats = await stat(path).catch(() => undefined); // gone meanwhile
      return { path, size: stats?.size ?? 0, changed: stats?.mtimeMs ?? 0 };
    }),
  );
  const oldest = Date.now() - MAX_AGE;
  let left = 0;
  for (const { path, size, changed } of parts.sort((a, b) => b.changed - a.changed)) {
    left += size;
    if (changed < oldest || left > MAX_LEFT) await removeUnlessUsed(path, libc);
  }
}

async function removeUnlessUsed(path: string, libc: Libc): Promise<void> {
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync(path, READ_ONLY), closeSync);
    if (libc.tryLock(fd, 'exclusive', path)) await unlink(path);
  } catch (error) {
    asStoreError(`cannot remove '${path}'`, error); // the next one may, or it is gone already
  }
}

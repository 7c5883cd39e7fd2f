/**
 * Staging directories: where paths are unpacked before they get their place in the store directory, on its own file
 * system, so that giving them that place is a rename.
 *
 * Whoever sees one must be able to tell whether it is in use. For Sluice itself it is locked with flock(2) as long as
 * its owner lives. Collectors leave it alone because it is named like a store path and is a temporary root; stock Nix
 * from 2.12 on also skips locked directories named `tmp-*`, but older collectors would delete those under our hands.
 * When the owner is killed both protections end, and the next Sluice or the next collector removes the directory.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeNix32 } from '../formats/nix32.ts';
import { parseBaseName, type StorePath } from '../formats/store-path.ts';
import { removeAcls } from './acls.ts';
import { asStoreError } from './fs-errors.ts';
import type { Libc } from './libc.ts';
import { removeTree } from './remove-tree.ts';

/** A directory that nobody else touches, removed with all it holds when it is disposed. */
export interface Staging extends AsyncDisposable {
  readonly dir: string;
}

const STAGING_NAME = /^[0-9a-z]{32}-tmp-sluice-\d+$/;
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface StagingOptions {
  readonly realStoreDir: string;
  readonly libc: Libc;
  /** Makes a name in the store directory a temporary root. */
  readonly protect: (name: StorePath) => Promise<void>;
}

/**
 * Makes a staging directory `RANDOM-tmp-sluice-PID`, mode 0700, without access control lists.
 *
 * @throws {StoreError} where the store directory cannot be written to.
 */
export async function openStaging({ realStoreDir, libc, protect }: StagingOptions): Promise<Staging> {
  for (;;) {
    const name = parseBaseName(`${encodeNix32(randomBytes(20))}-tmp-sluice-${process.pid}`);
    await protect(name);
    const dir = join(realStoreDir, name);
    try {
      await mkdir(dir, 0o700);
    } catch (error) {
      throw asStoreError(`cannot write to store directory '${realStoreDir}'`, error);
    }
    const lock = tryLockDirectory(libc, dir);
    if (lock === undefined) continue; // another Sluice saw it unlocked and removes it
    await using resources = new AsyncDisposableStack();
    resources.use(lock);
    resources.defer(() => removeTree(dir)); // before the lock goes
    removeAcls(dir);
    const opened = resources.move();
    return { dir, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  }
}

/** Removes the staging directories whose owners died. What cannot be removed is left to the collector. */
export async function removeStaleStaging(realStoreDir: string, libc: Libc): Promise<void> {
  for (const name of await readdir(realStoreDir)) {
    if (!STAGING_NAME.test(name)) continue;
    const dir = join(realStoreDir, name);
    try {
      using lock = tryLockDirectory(libc, dir);
      if (lock !== undefined) await removeTree(dir);
    } catch (error) {
      asStoreError(`cannot remove '${dir}'`, error);
    }
  }
}

/** Locks a directory; undefined where somebody else has it, or removed it before it was locked. */
function tryLockDirectory(libc: Libc, dir: string): Disposable | undefined {
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync(dir, OPEN_DIRECTORY), closeSync);
    if (!libc.tryLock(fd, 'exclusive', dir)) return undefined;
    // Without this, one that its finder removes between open and lock would look like ours.
    if (fstatSync(fd).ino !== lstatSync(dir).ino) return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return opened.move();
}

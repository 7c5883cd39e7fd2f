/** Directories for what tests write, removed with all that is in them, read-only store paths included. */
import { mkdtemp, realpath, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../src/stores/remove-tree.ts';

export interface Scratch extends AsyncDisposable {
  /** Absolute, without symlinks. */
  readonly path: string;
}

/** In memory where there is much room, as many small files are written there several times as fast. */
const MEMORY = '/dev/shm';
const MEBIBYTE = 2 ** 20;

/** @param room - mebibytes that will be written, at most. */
export async function makeScratch(room = 16): Promise<Scratch> {
  const parent = (await hasRoom(MEMORY, 2 * room * MEBIBYTE)) ? MEMORY : tmpdir();
  const path = await realpath(await mkdtemp(join(parent, 'sluice-test-')));
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

async function hasRoom(directory: string, size: number): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize >= size;
  } catch {
    return false;
  }
}

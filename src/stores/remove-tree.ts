/** Removing what lies in a store directory, where directories are read-only. */
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes a tree, whatever the modes of its directories; nothing happens where there is none. */
export async function removeTree(path: string): Promise<void> {
  // Only root removes from a directory without write permission. Trying it as anybody else first would not do: where
  // rm() fails it leaves some of its work under way.
  if (process.getuid?.() !== 0 && (await isDirectory(path))) await makeWritable(path);
  await rm(path, { recursive: true, force: true });
}

async function isDirectory(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats?.isDirectory() === true;
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    // isDirectory() is false for a symlink: chmod must not follow one out of the tree.
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  }
}

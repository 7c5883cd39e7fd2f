/** Moving store objects from one directory to another. */
import { chmodSync, lstatSync, renameSync } from 'node:fs';

/** rename(2), also of a read-only directory by an ordinary user. */
export function renameObject(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    const stats = lstatSync(from);
    if (!stats.isDirectory()) throw error;
    // A new parent is a new `..`, for which the directory itself must be writable. Its modification time stays.
    using restore = new DisposableStack();
    let name = from;
    chmodSync(from, 0o755);
    restore.defer(() => chmodSync(name, stats.mode & 0o7777));
    renameSync(from, to);
    name = to;
  }
}

/**
 * Making directories with those above them. Node's own `recursive` never ends where mkdir(2) says ENOENT of a name whose
 * parent is there, as in /proc.
 */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory, with those above it that are missing; one that is there already stays as it is.
 *
 * @param mode - of what is made, whatever the umask is; where it is missing, the umask says.
 * @returns whether it was missing.
 * @throws what Node throws, with the name of the first that cannot be made.
 */
export function makeDirectory(dir: string, mode?: number): boolean {
  if (isDirectory(dir)) return false;
  const parent = dirname(dir);
  if (parent !== dir) makeDirectory(parent, mode);
  try {
    mkdirSync(dir, mode);
  } catch (error) {
    if (isDirectory(dir)) return false; // somebody else was faster
    throw error;
  }
  if (mode !== undefined && (statSync(dir).mode & mode) !== mode) chmodSync(dir, mode);
  return true;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

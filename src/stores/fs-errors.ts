/** What the file system says no with, as an error that names the thing and tells what to do. */
import { SluiceError, StoreError } from '../errors.ts';

const NOT_ALLOWED = "run as the user who owns the store, or name a store of your own, such as 'local?root=DIR'";
const NO_ROOM = "make room on that disk: 'sluice gc' deletes garbage, and 'df' and 'df -i' show what is left";
const HINTS: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS:
    "where the store is a read-only bind mount, as on NixOS, run under 'unshare --mount' after 'mount -o remount,rw,bind'",
  ENOSPC: NO_ROOM,
  EDQUOT: `${NO_ROOM}, or raise the quota`,
  EMFILE: "allow more open files with 'ulimit -n'",
  EXDEV: 'the staging directory must be on the file system of the store',
};

/**
 * Makes an error of the file system a {@link StoreError}; one of this project stays as it is.
 *
 * @param problem - what could not be done, such as `cannot open store 'local'`.
 * @param hint - what to do about it, where it is not the store's file system that says no.
 * @throws what is neither, as nobody foresaw it.
 */
export function asStoreError(problem: string, error: unknown, hint?: string): SluiceError {
  if (error instanceof SluiceError) return error;
  if (!isSystemError(error)) throw error;
  return new StoreError(`${problem}: ${error.message}`, { cause: error, hint: hint ?? fsHint(error.code) });
}

/** What to do about an error of the file system, by its name, such as `ENOSPC`; undefined where nothing helps all. */
export function fsHint(code: string | undefined): string | undefined {
  return code === undefined ? undefined : HINTS[code];
}

/** Whether the file system, or the quota of a user, has no room for more. */
export function isNoRoom(error: unknown): boolean {
  return isSystemError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** Whether Node made this error of what the operating system said. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error;
}

/** What the file system says no with, as an error that names the thing and tells what to do. */
import { SluiceError, StoreError } from '../errors.ts';

const NOT_ALLOWED = "run as the user who owns the store, or name a store of your own, such as 'local?root=DIR'";
const HINTS: Readonly<Record<string, string>> = {
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS:
    "where the store is a read-only bind mount, as on NixOS, run under 'unshare --mount' after 'mount -o remount,rw,bind'",
  ENOSPC: 'make room on the disk that holds the store',
  EDQUOT: 'make room on the disk that holds the store',
  EMFILE: "allow more open files with 'ulimit -n'",
  EXDEV: 'the staging directory must be on the file system of the store',
};

/**
 * Makes an error of the file system a {@link StoreError}; one of this project stays as it is.
 *
 * @param problem - what could not be done, such as `cannot open store 'local'`.
 * @throws what is neither, as nobody foresaw it.
 */
export function asStoreError(problem: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  if (!(error instanceof Error) || !('errno' in error)) throw error;
  const hint = HINTS[String('code' in error ? error.code : '')];
  return new StoreError(`${problem}: ${error.message}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
}

/**
 * Removing extended attributes, access control lists among them, as nothing in a store has any. Node has no such calls.
 *
 * Source: Linux man-pages listxattr(2), removexattr(2).
 */
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { StoreError } from '../../errors.ts';
import { loadKoffi } from '../../stores/native.ts';
import { printPath } from '../../stores/optimise/byte-path.ts';

/**
 * Removes all extended attributes of a file but those in `kept`.
 *
 * @param path - a byte string; a symlink is not followed.
 * @param fd - the same file, where it is open: most have no attributes, and need not be looked up by name.
 * @throws {StoreError} where one cannot be removed.
 */
export type RemoveAttributes = (path: string, kept: ReadonlySet<string>, fd?: number) => void;

type ListAttributes = (path: Uint8Array, list: Uint8Array, size: number) => number;
type ListOpen = (fd: number, list: Uint8Array, size: number) => number;
type RemoveAttribute = (path: Uint8Array, name: Uint8Array) => number;

/** XATTR_LIST_MAX: no list is longer. */
const LIST_SIZE = 64 * 1024;

let bound: RemoveAttributes | undefined;

/** The calls of this system; where it has others than Linux, nothing is done. */
export function loadRemoveAttributes(): RemoveAttributes {
  bound ??= process.platform === 'linux' ? bind() : () => {};
  return bound;
}

function bind(): RemoveAttributes {
  const koffi = loadKoffi();
  const symbols = koffi.load(null);
  const list = symbols.func('int64_t llistxattr(const void *path, void *list, size_t size)') as ListAttributes;
  const listOpen = symbols.func('int64_t flistxattr(int fd, void *list, size_t size)') as ListOpen;
  const remove = symbols.func('int lremovexattr(const void *path, const void *name)') as RemoveAttribute;
  const { ENOTSUP, ENODATA } = koffi.os.errno as Record<string, number>;
  const names = Buffer.allocUnsafe(LIST_SIZE);

  return (path, kept, fd) => {
    if (fd !== undefined && listOpen(fd, names, LIST_SIZE) === 0) return;
    const terminated = terminate(path);
    const length = list(terminated, names, LIST_SIZE);
    if (length === 0) return;
    if (length < 0) {
      const errno = koffi.errno();
      if (errno === ENOTSUP || errno === ENODATA) return;
      throw systemError(`cannot read the extended attributes of '${printPath(path)}'`, errno);
    }
    for (const name of names.toString('latin1', 0, length - 1).split('\0')) {
      if (kept.has(name) || remove(terminated, terminate(name)) === 0) continue;
      throw systemError(`cannot remove extended attribute '${name}' of '${printPath(path)}'`, koffi.errno());
    }
  };
}

/** A byte string as C has it. */
function terminate(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1');
}

function systemError(problem: string, errno: number): StoreError {
  return new StoreError(`${problem}: ${getSystemErrorMessage(-errno)} (${getSystemErrorName(-errno)})`);
}

/**
 * Access control lists that a directory inherits from the one above: all that is made in it would inherit them, too, and
 * they take permissions away, or give others some, whatever mode a file is given.
 *
 * Source: Linux man-pages acl(5), removexattr(2).
 */
import type { KoffiFunc } from 'koffi';
import { systemError } from './libc.ts';
import { loadKoffi } from './native.ts';

const ACLS = ['system.posix_acl_default', 'system.posix_acl_access'] as const;

let loaded: ((path: string) => void) | undefined;

/**
 * Takes its access control lists from an empty directory: from here on nothing in it has any.
 *
 * @throws {StoreError} where the file system refuses.
 */
export function removeAcls(directory: string): void {
  loaded ??= bind();
  loaded(directory);
}

function bind(): (path: string) => void {
  if (process.platform !== 'linux') return () => {};
  const koffi = loadKoffi();
  const { ENODATA, ENOTSUP } = koffi.os.errno as Record<string, number>;
  const prototype = 'int lremovexattr(const char *path, const char *name)';
  const remove = koffi.load(null).func(prototype) as KoffiFunc<(path: string, name: string) => number>;
  return (path) => {
    for (const name of ACLS) {
      if (remove(path, name) === 0) continue;
      const errno = koffi.errno();
      if (errno !== ENODATA && errno !== ENOTSUP) throw systemError('remove access control lists of', path, errno);
    }
  };
}

/**
 * renameat2(2) with RENAME_EXCHANGE, which Node lacks: two files take each other's names in one step.
 *
 * Source: Linux man-pages renameat2(2); include/uapi/linux/fs.h.
 */
import type { KoffiFunc } from 'koffi';
import { loadKoffi } from './native.ts';

/** Relative names start at the working directory. */
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

type RenameAt2 = (oldDir: number, oldName: string, newDir: number, newName: string, flags: number) => number;

export type ExchangeResult = 'exchanged' | 'unsupported' | { readonly errno: number };

let renameAt2: RenameAt2 | undefined | false;

/**
 * Exchanges two files of one file system, of whatever kind each is. Both must be there.
 *
 * @returns `unsupported` where the system or the file system cannot, with nothing changed; or what it said no with.
 */
export function exchange(one: string, other: string): ExchangeResult {
  renameAt2 ??= bind();
  if (renameAt2 === false) return 'unsupported';
  if (renameAt2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0) return 'exchanged';
  const koffi = loadKoffi();
  const errno = koffi.errno();
  const { EINVAL, ENOSYS, EOPNOTSUPP, EXDEV } = koffi.os.errno as Record<string, number>;
  return [EINVAL, ENOSYS, EOPNOTSUPP, EXDEV].includes(errno) ? 'unsupported' : { errno };
}

function bind(): RenameAt2 | false {
  if (process.platform !== 'linux') return false;
  try {
    const prototype = 'int renameat2(int olddirfd, const char *old, int newdirfd, const char *new, unsigned int flags)';
    return loadKoffi().load(null).func(prototype) as KoffiFunc<RenameAt2>;
  } catch {
    return false; // an old C library
  }
}

/**
 * Reading what lies at a file name as a NAR: what dumpNar pours, without its generator for each file, since nothing
 * else is done here: of many small files that takes half the time. Synchronous: for worker threads.
 *
 * Source: Nix 2.35 manual, "Nix Archive (NAR) format".
 */
import { constants, fstatSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { StoreError } from '../../errors.ts';
import {
  ARCHIVE_START,
  DIRECTORY_END,
  DIRECTORY_START,
  ENTRY_END,
  entryStart,
  fileEnd,
  fileStart,
  symlink,
} from '../../formats/nar-writer.ts';
import { OpenFile } from '../nar-buffer.ts';
import { bytePath, fsPath } from '../optimise/byte-path.ts';
import { type DirectoryEntry, kindOf } from '../optimise/read-directory.ts';
import type { NarWindow } from './nar-window.ts';

/** A file, not what a symlink or a FIFO leads to that has taken its place. */
const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What comes next: what lies at a file name, or nothing; and the bytes of the NAR around it, as byte strings. */
interface Pending {
  /** A byte string. */
  readonly path: string | undefined;
  /** What it is, where that is known. */
  readonly kind: Kind | undefined;
  readonly before: string;
  readonly after: string;
}

type Kind = DirectoryEntry['kind'];

/**
 * Fills a window, and stops where it is full: something must have been taken out before it goes on. At the end there may
 * be bytes left in the window.
 *
 * @throws {StoreError} on anything but files, directories and symlinks, and where a file changes meanwhile; the error of
 *   the system.
 */
export function* readNar(realPath: string, window: NarWindow): Generator<void, void, void> {
  const pending: Pending[] = [{ path: bytePath(realPath), kind: undefined, before: ARCHIVE_START, after: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { before, after } = next;
    let token = after;
    if (next.path !== undefined) {
      const path = fsPath(next.path);
      const kind = next.kind ?? kindOf(lstatSync(path));
      if (kind === 'regular') {
        using file = new OpenFile(path, OPEN_FILE);
        const { size, mode } = fstatSync(file.fd); // of what was opened: another file may have taken the place
        token = before + fileStart((mode & 0o100) !== 0, size);
        while (window.isFull(token.length)) yield;
        window.put(token);
        for (let left = size; left > 0; ) {
          while (window.isFull()) yield;
          left -= window.read(file.fd, left, next.path);
        }
        token = fileEnd(size) + after;
      } else if (kind === 'directory') {
        token = before + DIRECTORY_START;
        pending.push({ path: undefined, kind, before: '', after: DIRECTORY_END + after });
        for (const { name, kind } of entriesOf(path).reverse()) {
          pending.push({ path: `${next.path}/${name}`, kind, before: entryStart(name), after: ENTRY_END });
        }
      } else if (kind === 'symlink') token = before + symlink(readlinkSync(path, 'latin1')) + after;
      else throw new StoreError(`'${path}' is neither file, directory nor symlink`);
    }
    while (window.isFull(token.length)) yield;
    window.put(token);
  }
}

interface Entry {
  /** A byte string. */
  readonly name: string;
  readonly kind: Kind | undefined;
}

/** Sorted by name. */
function entriesOf(path: string | Buffer): Entry[] {
  return readEntries(path).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readEntries(path: string | Buffer): Entry[] {
  try {
    const entries = readdirSync(path, { encoding: 'latin1', withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  } catch (error) {
    // Where a file system does not say what its entries are Node looks, but in vain for names that are not ASCII.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return readdirSync(path, 'latin1').map((name) => ({ name, kind: undefined }));
  }
}

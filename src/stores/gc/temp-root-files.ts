/**
 * The other end of temp-roots.ts: reads what all processes protect. A file that nobody holds locked is a dead
 * process's, and is removed; the byte that is left in it tells whoever has just opened it to make another.
 *
 * Source: Nix 2.35 libstore/gc.cc, LocalStore::findTempRoots.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreDir } from '../../formats/store-path.ts';
import type { Libc } from '../libc.ts';
import { type FoundRoots, type Root, storePathIn } from './find-roots.ts';

/** Reads the temporary roots of all processes that live. */
export function readTempRoots(libc: Libc, stateDir: string, storeDir: StoreDir): FoundRoots {
  const roots: Root[] = [];
  const messages: string[] = [];
  const dir = join(stateDir, 'temproots');
  for (const name of readdirSync(dir)) {
    if (name.startsWith('.')) continue; // some package managers keep a directory by such a file
    const file = join(dir, name);
    using opened = new DisposableStack();
    const fd = openIfThere(file);
    if (fd === undefined) continue;
    opened.adopt(fd, closeSync);
    if (libc.tryLock(fd, 'exclusive', file)) {
      messages.push(`removing stale temporary roots file '${file}'`);
      unlinkIfThere(file);
      writeSync(fd, 'd');
      continue;
    }
    const from = `{temp:${/^\d+/.exec(name)?.[0] ?? name}}`; // as Nix prints it: the process
    // What comes after the last NUL is being written, by somebody who waits for the collector.
    const texts = readFileSync(fd, 'latin1').split('\0').slice(0, -1);
    for (const text of texts) {
      const path = storePathIn(storeDir, text);
      if (path !== undefined) roots.push({ from, path });
    }
  }
  return { roots, messages };
}

function openIfThere(file: string): number | undefined {
  return ifThere(() => openSync(file, constants.O_RDWR));
}

function unlinkIfThere(file: string): void {
  ifThere(() => unlinkSync(file));
}

function ifThere<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/**
 * The files in `.links` that no store path shares any more. Synchronous: for worker threads.
 *
 * Source: Nix 2.35 libstore/gc.cc.
 */
import { lstatSync, readdirSync, unlinkSync } from 'node:fs';

export interface LinksResult {
  readonly deleted: number;
  /** What the files that are left save, in bytes, before what their directory takes is taken off. */
  readonly saved: number;
}

/**
 * Deletes files that have one link. Where somebody makes another of one just then, all that is lost is that others
 * would share it.
 *
 * @param part - of so many parts, this one is done, counted from zero.
 */
export function deleteUnusedLinks(linksDir: string, part: number, parts: number): LinksResult {
  let deleted = 0;
  let saved = 0;
  for (const name of readdirSync(linksDir)) {
    // By name: the places of the others change while another thread deletes.
    if ((name.charCodeAt(0) * 32 + (name.charCodeAt(1) || 0)) % parts !== part) continue;
    const file = `${linksDir}/${name}`;
    const stats = lstatSync(file, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    // One that is in use lies here and in a store path at least: from the second path on there is something saved.
    if (stats.nlink > 1) saved += (stats.nlink - 2) * stats.size;
    else if (unlinkIfThere(file)) deleted++;
  }
  return { deleted, saved };
}

function unlinkIfThere(file: string): boolean {
  try {
    unlinkSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}

/**
 * Metadata of what a builder made, as everything in a store has it: files 0444 or 0555, directories 0555, modification
 * time 1, owned by whoever owns the store, without extended attributes. Synchronous: for worker threads.
 *
 * Only what belongs to the build is touched. A builder may link to any file that it can name, and changing the owner of
 * that would give it away; so a file must belong to the build user, or have been seen before in this build.
 *
 * Source: Nix 2.35 libstore/posix-fs-canonicalise.cc.
 */
import {
  chmodSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  type Stats,
  utimesSync,
} from 'node:fs';
import { fsPath } from '../../stores/optimise/byte-path.ts';
import { loadRemoveAttributes } from './extended-attributes.ts';
import type { OutputPlace } from './output-place.ts';

/** Modification time of everything in a store, in seconds. */
const STORE_MTIME = 1;
const PERMISSIONS = 0o7777;
const OWNER_MAY_EXECUTE = 0o100;

export interface MetadataOptions {
  /** Who ran the builder, where that was a user of its own. */
  readonly buildUid: number | undefined;
  /** Extended attributes that may stay. */
  readonly ignoredAcls: readonly string[];
}

/** One for all outputs of a build: links between them are links within the build. */
export class CanonicalMetadata {
  readonly #buildUid: number | undefined;
  readonly #kept: ReadonlySet<string>;
  readonly #removeAttributes = loadRemoveAttributes();
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  /** Of files with several names. */
  readonly #seen = new Set<string>();

  constructor({ buildUid, ignoredAcls }: MetadataOptions) {
    this.#buildUid = buildUid;
    this.#kept = new Set(ignoredAcls);
  }

  /** @throws {BuildError} where the file may belong to somebody else. */
  checkOwner(stats: Stats, path: string, place: OutputPlace): void {
    const inode = stats.nlink > 1 && !stats.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined;
    if (this.#buildUid !== undefined && stats.uid !== this.#buildUid) {
      if (inode !== undefined && this.#seen.has(inode)) return;
      throw place.reject('does not belong to the build user: it may be a link to a file of somebody else', path);
    }
    if (inode !== undefined) this.#seen.add(inode);
  }

  /** @param path - a byte string, as everywhere here; `fd` is the file that it names. */
  file(fd: number, stats: Stats, path: string): void {
    this.#removeAttributes(path, this.#kept, fd);
    if (stats.uid !== this.#uid) fchownSync(fd, this.#uid, this.#gid);
    const mode = isExecutable(stats) ? 0o555 : 0o444;
    // Changing the owner takes bits away, so that the mode comes last.
    if ((stats.mode & PERMISSIONS) !== mode) fchmodSync(fd, mode);
    if (stats.mtimeMs !== STORE_MTIME * 1000) futimesSync(fd, STORE_MTIME, STORE_MTIME);
  }

  symlink(stats: Stats, path: string): void {
    const name = fsPath(path);
    this.#removeAttributes(path, this.#kept);
    if (stats.uid !== this.#uid) lchownSync(name, this.#uid, this.#gid);
    if (stats.mtimeMs !== STORE_MTIME * 1000) lutimesSync(name, STORE_MTIME, STORE_MTIME);
  }

  /** When nothing in it is changed any more. */
  directory(stats: Stats, path: string): void {
    const name = fsPath(path);
    this.#removeAttributes(path, this.#kept);
    if (stats.uid !== this.#uid) lchownSync(name, this.#uid, this.#gid);
    chmodSync(name, 0o555);
    utimesSync(name, STORE_MTIME, STORE_MTIME);
  }
}

export function isExecutable(stats: Stats): boolean {
  return (stats.mode & OWNER_MAY_EXECUTE) !== 0;
}

/**
 * Where a local store keeps what: from its URI to directories, and those directories made.
 *
 * Source: Nix 2.35 manual, "Local Store"; libstore/local-fs-store.hh, local-store.cc.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { StoreError, UsageError } from '../errors.ts';
import type { StoreDir } from '../formats/store-path.ts';
import { pathOfStoreReference, type StoreReference } from '../formats/store-reference.ts';
import { isNoRoom } from './fs-errors.ts';
import type { Libc } from './libc.ts';
import { makeDirectory } from './make-directory.ts';
import { booleanParam, checkParams, storeDirParam } from './store-params.ts';

/** All directories are absolute. */
export interface LocalStoreLayout {
  /** Opens the same store again: `local`, `local?root=/x`. */
  readonly uri: string;
  /** What store paths start with. */
  readonly storeDir: StoreDir;
  /** Where they really lie. */
  readonly realStoreDir: string;
  /** Database, roots, locks. */
  readonly stateDir: string;
  /** Build logs. */
  readonly logDir: string;
  /** Neither locks nor changes anything; the store must exist. */
  readonly readOnly: boolean;
}

/** Of what is made: all may read it, whatever the umask is. */
const DIRECTORY_MODE = 0o755;
/** Of a store directory in which a group may make files: only its owner renames or deletes one. */
const SHARED_MODE = 0o1775;
const PARAMS = ['root', 'store', 'real', 'state', 'log', 'read-only'] as const;

/**
 * Reads a reference `local?…` or one with a directory, which is a chroot store: logical `/nix/store`, physical
 * `DIR/nix/store`. As in Nix, `store` changes only what paths start with when there is a root.
 *
 * @param environment - of it `NIX_LOG_DIR` counts, where there is no root.
 * @throws {UsageError} on an unknown parameter, or a directory that is not absolute.
 */
export function layoutOf(reference: StoreReference, environment: NodeJS.ProcessEnv = process.env): LocalStoreLayout {
  checkParams(reference, PARAMS);
  const { params } = reference;
  const storeDir = storeDirParam(params);
  const root = params.root ?? (reference.authority === '' ? undefined : pathOfStoreReference(reference));
  const realStoreDir = params.real ?? (root === undefined ? storeDir : join(root, 'nix/store'));
  const stateDir = params.state ?? join(root ?? '/', 'nix/var/nix');
  const usualLogDir = root === undefined ? environment.NIX_LOG_DIR : undefined;
  const logDir = params.log ?? usualLogDir ?? join(root ?? '/', 'nix/var/log/nix');
  for (const dir of [root ?? '/', realStoreDir, stateDir, logDir]) {
    if (!isAbsolute(dir)) throw new UsageError(`a local store wants absolute directories, got '${dir}'`);
  }
  return {
    uri: localUri(root === undefined ? params : { ...params, root }),
    storeDir,
    realStoreDir,
    stateDir,
    logDir,
    readOnly: booleanParam(params, 'read-only') ?? false,
  };
}

/** Opens the same store for reading only. */
export function readOnlyUri({ uri }: LocalStoreLayout): string {
  const [, params = ''] = uri.split('?');
  const others = params.split('&').filter((param) => param !== '' && !param.startsWith('read-only='));
  return `local?${['read-only=true', ...others].join('&')}`;
}

/** Spelled `local?…` and not `local://?…`, which older versions of Nix do not read. */
function localUri(params: StoreReference['params']): string {
  const query = Object.entries(params)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2F', '/')}`);
  return ['local', ...(query.length > 0 ? [query.join('&')] : [])].join('?');
}

/** The database, of which nothing else may be changed or moved while it is open. */
export function databaseFile(stateDir: string): string {
  return join(stateDir, 'db/db.sqlite');
}

/** Makes the directories that are missing, as Nix does whenever it opens a store. */
export function makeDirectories({ realStoreDir, stateDir }: LocalStoreLayout): void {
  const profiles = join(stateDir, 'profiles');
  const roots = join(stateDir, 'gcroots');
  for (const dir of [join(realStoreDir, '.links'), join(stateDir, 'db'), join(stateDir, 'temproots')]) {
    makeDirectory(dir, DIRECTORY_MODE);
  }
  const newRoots = makeDirectory(roots, DIRECTORY_MODE);
  makeDirectory(join(roots, 'auto'), DIRECTORY_MODE);
  for (const dir of [join(profiles, 'per-user'), join(roots, 'per-user')]) {
    makeDirectory(dir, DIRECTORY_MODE);
    if ((statSync(dir).mode & 0o777) !== DIRECTORY_MODE) chmodSync(dir, DIRECTORY_MODE);
  }
  if (newRoots) unlessExists(() => symlinkSync(profiles, join(roots, 'profiles')));
}

/**
 * Lets the members of a group make files in the store directory, who run builders there, and keeps each from touching
 * what others made. Only root does that; as in Nix, nothing happens where there is no such group.
 *
 * @param group - its name: setting `build-users-group`.
 */
export function shareStoreDirectory({ realStoreDir }: LocalStoreLayout, libc: Libc, group: string): void {
  if (process.getuid?.() !== 0 || group === '') return;
  const wanted = libc.groupId(group);
  if (wanted === undefined) return;
  const { uid, gid, mode } = statSync(realStoreDir);
  if (uid === 0 && gid === wanted && (mode & 0o7777) === SHARED_MODE) return;
  chownSync(realStoreDir, 0, wanted);
  chmodSync(realStoreDir, SHARED_MODE); // in this order: chown(2) may take bits away
}

/**
 * Keeps some space for the collector, which needs it most when the disk is full.
 *
 * @param size - in bytes: setting `gc-reserved-space`.
 */
export function reserveSpace({ stateDir }: LocalStoreLayout, libc: Libc, size: number): void {
  const file = reserveFile(stateDir);
  const before = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (before === size) return;
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o600), closeSync);
    ftruncateSync(fd, libc.allocate(fd, size) ? size : Math.min(before, size));
  } catch (error) {
    if (!isNoRoom(error)) throw error; // the collector does without
  }
}

/** Gives up what {@link reserveSpace} took; whoever opens the store next takes it again, where there is room. */
export function giveUpReserve(stateDir: string): void {
  rmSync(reserveFile(stateDir), { force: true });
}

/** Gives up half of the reserve, so that another half is left for the collector. */
export function halveReserve(stateDir: string): void {
  const file = reserveFile(stateDir);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats !== undefined) truncateSync(file, Math.floor(stats.size / 2));
}

function reserveFile(stateDir: string): string {
  return join(stateDir, 'db/reserved');
}

function unlessExists(make: () => void): void {
  try {
    make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Nix refuses a store directory at or below a symlink, as paths in it would then have two names.
 *
 * @throws {StoreError} where there is a symlink.
 */
export function refuseSymlinks(realStoreDir: string): void {
  for (let dir = realStoreDir; dir !== dirname(dir); dir = dirname(dir)) {
    if (!lstatSync(dir).isSymbolicLink()) continue;
    throw new StoreError(`store directory '${realStoreDir}' is at or below a symlink: '${dir}'`, {
      hint: 'name the store by its real path',
    });
  }
}

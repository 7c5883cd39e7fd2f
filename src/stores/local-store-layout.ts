/**
 * Where a local store keeps what: from its URI to directories, and those directories made.
 *
 * Source: Nix 2.35 manual, "Local Store"; libstore/local-fs-store.hh, local-store.cc.
 */
import { chmod, lstat, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { StoreError, UsageError } from '../errors.ts';
import type { StoreDir } from '../formats/store-path.ts';
import { pathOfStoreReference, type StoreReference } from '../formats/store-reference.ts';
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
  /** Neither locks nor changes anything; the store must exist. */
  readonly readOnly: boolean;
}

const PARAMS = ['root', 'store', 'real', 'state', 'log', 'read-only'] as const;
/** What is kept free for the collector, which needs it most when the disk is full: Nix's gc-reserved-space. */
const RESERVED_SPACE = 8 * 1024 * 1024;

/**
 * Reads a reference `local?…` or one with a directory, which is a chroot store: logical `/nix/store`, physical
 * `DIR/nix/store`. As in Nix, `store` changes only what paths start with when there is a root.
 *
 * @throws {UsageError} on an unknown parameter, or a directory that is not absolute.
 */
export function layoutOf(reference: StoreReference): LocalStoreLayout {
  checkParams(reference, PARAMS);
  const { params } = reference;
  const storeDir = storeDirParam(params);
  const root = params.root ?? (reference.authority === '' ? undefined : pathOfStoreReference(reference));
  const realStoreDir = params.real ?? (root === undefined ? storeDir : join(root, 'nix/store'));
  const stateDir = params.state ?? join(root ?? '/', 'nix/var/nix');
  for (const dir of [root ?? '/', realStoreDir, stateDir]) {
    if (!isAbsolute(dir)) throw new UsageError(`a local store wants absolute directories, got '${dir}'`);
  }
  return {
    uri: localUri(root === undefined ? params : { ...params, root }),
    storeDir,
    realStoreDir,
    stateDir,
    readOnly: booleanParam(params, 'read-only') ?? false,
  };
}

/** Spelled `local?…` and not `local://?…`, which older versions of Nix do not read. */
function localUri(params: StoreReference['params']): string {
  const query = Object.entries(params)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2F', '/')}`);
  return ['local', ...(query.length > 0 ? [query.join('&')] : [])].join('?');
}

/** Makes the directories and files that are missing, as Nix does whenever it opens a store. */
export async function makeDirectories({ realStoreDir, stateDir }: LocalStoreLayout): Promise<void> {
  await mkdir(join(realStoreDir, '.links'), { recursive: true });
  await mkdir(join(stateDir, 'db'), { recursive: true });
  await mkdir(join(stateDir, 'temproots'), { recursive: true });
  const profiles = join(stateDir, 'profiles');
  const roots = join(stateDir, 'gcroots');
  const newRoots = (await mkdir(roots, { recursive: true })) !== undefined;
  await mkdir(join(roots, 'auto'), { recursive: true });
  for (const dir of [join(profiles, 'per-user'), join(roots, 'per-user')]) {
    await mkdir(dir, { recursive: true });
    if (((await stat(dir)).mode & 0o777) !== 0o755) await chmod(dir, 0o755);
  }
  if (newRoots) await symlink(profiles, join(roots, 'profiles')).catch(unlessExists);
  await writeFile(join(stateDir, 'db/reserved'), Buffer.alloc(RESERVED_SPACE, 'X'), { flag: 'wx', mode: 0o600 }).catch(
    () => {}, // there already, or not important enough
  );
}

function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/**
 * Nix refuses a store directory at or below a symlink, as paths in it would then have two names.
 *
 * @throws {StoreError} where there is a symlink.
 */
export async function refuseSymlinks(realStoreDir: string): Promise<void> {
  for (let dir = realStoreDir; dir !== dirname(dir); dir = dirname(dir)) {
    if (!(await lstat(dir)).isSymbolicLink()) continue;
    throw new StoreError(`store directory '${realStoreDir}' is at or below a symlink: '${dir}'`, {
      hint: 'name the store by its real path',
    });
  }
}

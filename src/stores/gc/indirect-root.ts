/**
 * Adding roots: a symlink of the user's own, such as `./result`, that `gcroots/auto` names. Where the user removes it,
 * what it kept becomes garbage.
 *
 * Source: Nix 2.35 libstore/indirect-root-store.cc, gc.cc, LocalStore::addIndirectRoot.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, readlinkSync } from 'node:fs';
import { rename, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StoreError } from '../../errors.ts';
import { hashBytes, printDigest } from '../../formats/hash.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import { asStoreError } from '../fs-errors.ts';
import { makeDirectory } from '../make-directory.ts';

export interface IndirectRootOptions {
  readonly stateDir: string;
  readonly storeDir: StoreDir;
}

/**
 * Makes `link` a symlink to a store path, and that a root. The caller keeps the path alive meanwhile.
 *
 * @returns the link's absolute name.
 * @throws {StoreError} where something lies there that is no symlink into the store.
 */
export async function addIndirectRoot(
  { stateDir, storeDir }: IndirectRootOptions,
  link: string,
  path: StorePath,
): Promise<string> {
  const file = resolve(link);
  if (`${file}/`.startsWith(`${storeDir}/`)) {
    throw new StoreError(`a root must not lie in the store: '${file}'`);
  }
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats !== undefined && !(stats.isSymbolicLink() && readlinkSync(file).startsWith(`${storeDir}/`))) {
    throw new StoreError(`cannot make a symlink '${file}': something else is there already`);
  }
  try {
    await replaceLink(file, printStorePath(storeDir, path));
    const name = printDigest(hashBytes('sha1', file), 'nix32');
    await replaceLink(join(stateDir, 'gcroots/auto', name), file);
  } catch (error) {
    throw asStoreError(`cannot add root '${file}'`, error);
  }
  return file;
}

/** In one step: at no time is there none where there was one. */
async function replaceLink(file: string, target: string): Promise<void> {
  makeDirectory(dirname(file));
  const temporary = join(dirname(file), `.${process.pid}-${randomBytes(6).toString('hex')}`);
  await symlink(target, temporary);
  await rename(temporary, file);
}

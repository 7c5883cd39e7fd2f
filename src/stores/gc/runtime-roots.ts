/**
 * The roots that running programs are: what /proc says that they run, have open, have mapped, work in, or name in their
 * environment. Where there is no /proc there are none.
 *
 * Source: Nix 2.35 libstore/unix/gc.cc, findRuntimeRootsUnchecked; proc(5). Nix does not look at `root`.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreDir } from '../../formats/store-path.ts';
import { type Root, storePathIn } from './find-roots.ts';

/** A process ends while it is looked at, or belongs to somebody else. */
const NOT_READABLE = ['EACCES', 'EINVAL', 'ENOENT', 'ENOTDIR', 'EPERM', 'ESRCH'];
/** Programs that the kernel starts. */
const KERNEL_HELPERS = ['modprobe', 'fbsplash', 'poweroff_cmd'];
/** The file of a line of `maps`, after address, permissions, offset, device and inode. */
const MAPPED_FILE = /^\s*\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+(\/\S+)\s*$/gm;

/** Each with what named it: `/proc/1/exe`. The same path may come many times. */
export function findRuntimeRoots(storeDir: StoreDir, proc: string = '/proc'): readonly Root[] {
  const roots = new Map<string, Root>();
  const add = (from: string, file: string): void => {
    const path = storePathIn(storeDir, file);
    if (path !== undefined) roots.set(`${from}\0${path}`, { from, path });
  };
  const addLink = (file: string): void => add(file, ifReadable(() => readlinkSync(file)) ?? '');
  const environment = new RegExp(`${escapeRegExp(storeDir)}/[0-9a-z]+[0-9a-zA-Z+\\-._?=]*`, 'g');

  const processes = ifReadable(() => readdirSync(proc)) ?? [];
  for (const process of processes.filter((name) => /^\d+$/.test(name))) {
    const dir = join(proc, process);
    for (const name of ['exe', 'cwd', 'root']) addLink(`${dir}/${name}`);
    for (const name of ifReadable(() => readdirSync(`${dir}/fd`)) ?? []) addLink(`${dir}/fd/${name}`);
    for (const [, file] of read(`${dir}/maps`).matchAll(MAPPED_FILE)) add(`${dir}/maps`, file!);
    for (const [file] of read(`${dir}/environ`).matchAll(environment)) add(`${dir}/environ`, file);
  }
  for (const name of KERNEL_HELPERS) add(`${proc}/sys/kernel/${name}`, read(`${proc}/sys/kernel/${name}`).trim());
  return [...roots.values()];
}

/** Store paths are ASCII: any other byte only ends one. */
function read(file: string): string {
  return ifReadable(() => readFileSync(file, 'latin1')) ?? '';
}

function ifReadable<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (NOT_READABLE.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.^$\\*+?()[\]{}|]/g, '\\$&');
}

/**
 * Reading directories with the inode number and the kind of each entry, which the kernel has at hand and Node drops: a
 * look at every single file takes five times as long.
 *
 * Source: Linux man-pages getdents(2), readdir(3).
 */
import { closeSync, constants, type Dirent, lstatSync, openSync, readdirSync, type Stats } from 'node:fs';
import { endianness } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { StoreError } from '../../errors.ts';
import { loadKoffi } from '../native.ts';
import { fsPath, printPath } from './byte-path.ts';

export interface DirectoryEntry {
  /** A byte string. */
  readonly name: string;
  readonly inode: number;
  readonly kind: 'regular' | 'directory' | 'symlink' | 'unknown';
}

type GetDents = (fd: number, buffer: Uint8Array, size: number) => number;

/** By d_type. */
const KINDS: Readonly<Record<number, DirectoryEntry['kind']>> = { 4: 'directory', 8: 'regular', 10: 'symlink' };
const NOT_SAID = 0;
/** Where the fields of a directory entry are. */
const AT = { inode: 0, length: 16, type: 18, name: 19 } as const;
const BUFFER_SIZE = 64 * 1024;

let getDents: GetDents | undefined | false;
let buffer: Buffer | undefined;

/**
 * The entries of a directory, in no order, without `.` and `..`.
 *
 * @param path - a byte string.
 * @param without - inodes whose entries are left out: of many, that takes half the time.
 */
export function readDirectory(path: string, without?: { has(inode: number): boolean }): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const isRead = readRaw(path, (bytes, start) => {
    const inode = inodeAt(bytes, start);
    if (without?.has(inode)) return;
    const name = nameAt(bytes, start);
    if (name === '.' || name === '..') return;
    const type = bytes[start + AT.type]!;
    entries.push(type === NOT_SAID ? look(path, name) : { name, inode, kind: KINDS[type] ?? 'unknown' });
  });
  return isRead ? entries : readSlowly(path).filter(({ inode }) => !without?.has(inode));
}

/**
 * The inodes of the entries of a directory, and those of `.` and `..`.
 *
 * @param path - a byte string.
 */
export function readInodes(path: string): number[] {
  const inodes: number[] = [];
  const isRead = readRaw(path, (bytes, start) => inodes.push(inodeAt(bytes, start)));
  return isRead ? inodes : readSlowly(path).map(({ inode }) => inode);
}

/** @returns false where the system cannot be asked in this way. */
function readRaw(path: string, onEntry: (bytes: Buffer, start: number) => void): boolean {
  getDents ??= bind() ?? false;
  if (getDents === false) return false;
  using opened = new DisposableStack();
  const fd = opened.adopt(openSync(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY), closeSync);
  buffer ??= Buffer.allocUnsafe(BUFFER_SIZE);
  for (;;) {
    const length = getDents(fd, buffer, BUFFER_SIZE);
    if (length < 0) throw cannotRead(path);
    if (length === 0) return true;
    for (let start = 0; start < length; start += buffer.readUInt16LE(start + AT.length)) onEntry(buffer, start);
  }
}

function inodeAt(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start + AT.inode) + bytes.readUInt32LE(start + AT.inode + 4) * 2 ** 32;
}

function nameAt(bytes: Buffer, start: number): string {
  return bytes.toString('latin1', start + AT.name, bytes.indexOf(0, start + AT.name));
}

function readSlowly(path: string): DirectoryEntry[] {
  return readdirSync(fsPath(path), 'latin1').map((name) => look(path, name));
}

function look(path: string, name: string): DirectoryEntry {
  const stats = lstatSync(fsPath(`${path}/${name}`));
  return { name, inode: stats.ino, kind: kindOf(stats) };
}

/** What kind of file it is. */
export function kindOf(file: Stats | Dirent): DirectoryEntry['kind'] {
  if (file.isFile()) return 'regular';
  if (file.isDirectory()) return 'directory';
  return file.isSymbolicLink() ? 'symlink' : 'unknown';
}

function cannotRead(path: string): StoreError {
  const errno = loadKoffi().errno();
  return new StoreError(`cannot read directory '${printPath(path)}': ${getSystemErrorMessage(-errno)}`);
}

/** The layout of entries is that of Linux with 64 bits. */
function bind(): GetDents | undefined {
  if (process.platform !== 'linux' || endianness() !== 'LE') return undefined;
  try {
    const koffi = loadKoffi();
    if (koffi.sizeof('size_t') !== 8) return undefined;
    return koffi.load(null).func('int64_t getdents64(int fd, void *buffer, size_t size)') as GetDents;
  } catch {
    return undefined; // a C library without it
  }
}

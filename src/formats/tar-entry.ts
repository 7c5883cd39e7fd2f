/**
 * Entries of tarballs, the same bytes for the same content: owner and group 0, modification time 1, modes as in a store.
 *
 * Headers are those of POSIX 1003.1 (pax). What they have no room for, and names beyond ASCII, stand in an extended header
 * before them: there POSIX wants UTF-8, and names that are none are written as they are, as GNU tar does.
 */
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';

const BLOCK = 512;
const MTIME = new Date(1000);
const NOT_ASCII = /[\x80-\xff]/g;

/** Names and targets are byte strings: see nar.ts. */
export type TarEntry = {
  /** Without a slash at the beginning and the end. */
  readonly path: string;
} & (
  | { readonly type: 'directory' }
  | { readonly type: 'regular'; readonly executable: boolean; readonly size: number }
  | { readonly type: 'symlink'; readonly target: string }
);

/** Ends a tarball. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK);

/** What comes before the contents of an entry. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const target = entry.type === 'symlink' ? entry.target : undefined;
  const size = entry.type === 'regular' ? entry.size : 0;
  const common = { uid: 0, gid: 0, uname: '', gname: '', size, mtime: MTIME };
  const [asciiPath, asciiTarget] = [path, target].map((text) => text?.replace(NOT_ASCII, '_'));
  const header = new Header({
    ...common,
    ...KINDS[entry.type],
    path: asciiPath!,
    ...(asciiTarget !== undefined && { linkpath: asciiTarget }),
    ...(entry.type === 'regular' && entry.executable && { mode: 0o555 }),
  });
  const fits = !header.encode() && asciiPath === path && asciiTarget === target;
  if (fits) return header.block!;
  const extended = new Pax({
    path: asciiPath!,
    ...(asciiTarget !== undefined && { linkpath: asciiTarget }),
    size,
  }).encode();
  putBytes(extended, 'path', asciiPath!, path);
  if (target !== undefined) putBytes(extended, 'linkpath', asciiTarget!, target);
  return Buffer.concat([extended, header.block!]);
}

/** What comes after contents of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return TAR_END.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

const KINDS = {
  directory: { type: 'Directory', mode: 0o555 },
  regular: { type: 'File', mode: 0o444 },
  symlink: { type: 'SymbolicLink', mode: 0o777 },
} as const;

/**
 * The library writes text as UTF-8; a byte string takes the place of an ASCII one that is as long. The path is the first
 * record, and what comes after the target's cannot be taken for one, whatever the two of them hold.
 */
function putBytes(extended: Buffer, field: 'path' | 'linkpath', ascii: string, bytes: string): void {
  if (ascii === bytes) return;
  const record = ` ${field}=${ascii}\n`;
  const found =
    field === 'path' ? extended.indexOf(record, BLOCK, 'latin1') : extended.lastIndexOf(record, undefined, 'latin1');
  extended.write(bytes, found + field.length + 2, 'latin1');
}

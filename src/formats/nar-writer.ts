/**
 * The tokens of a NAR as byte strings (one character a byte, see nar.ts), for whoever writes one: join them in order,
 * put a file's contents between {@link fileStart} and {@link fileEnd}, and encode as latin1.
 *
 * Source: Nix 2.35 manual, "Nix Archive (NAR) format".
 */
import { NAR_MAGIC, padded } from './nar.ts';

/** The archive's beginning; one node follows. */
export const ARCHIVE_START: string = token(NAR_MAGIC);

export const DIRECTORY_START: string = tokens('(', 'type', 'directory');
export const DIRECTORY_END: string = token(')');
/** Follows the node of an entry. */
export const ENTRY_END: string = token(')');

const ENTRY_START = tokens('entry', '(', 'name');
const ENTRY_NODE = token('node');
const FILE_START = tokens('(', 'type', 'regular', 'contents');
const EXECUTABLE_START = tokens('(', 'type', 'regular', 'executable', '', 'contents');
const FILE_END = token(')');

/** An entry of a directory; its node follows, then {@link ENTRY_END}. Entries are sorted by `name`, a byte string. */
export function entryStart(name: string): string {
  return ENTRY_START + token(name) + ENTRY_NODE;
}

/** A file of `size` bytes; they follow. */
export function fileStart(executable: boolean, size: number): string {
  return (executable ? EXECUTABLE_START : FILE_START) + integer(size);
}

/** Follows the contents of a file of `size` bytes. */
export function fileEnd(size: number): string {
  return padding(size) + FILE_END;
}

/** A symlink, whole; `target` is a byte string. */
export function symlink(target: string): string {
  return tokens('(', 'type', 'symlink', 'target', target, ')');
}

function tokens(...texts: readonly string[]): string {
  return texts.map(token).join('');
}

/** A string with its length before it; `text` is a byte string. */
export function token(text: string): string {
  return integer(text.length) + text + padding(text.length);
}

function padding(length: number): string {
  return '\0'.repeat(padded(length) - length);
}

/** Eight bytes. */
export function integer(value: number): string {
  const high = Math.floor(value / 2 ** 32);
  return word(value) + (high === 0 ? '\0\0\0\0' : word(high));
}

/** The lowest four bytes. */
function word(value: number): string {
  return String.fromCharCode(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
}

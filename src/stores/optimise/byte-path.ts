/** File names as byte strings, one latin1 character a byte: names need not be UTF-8, and comparing them compares bytes. */

/** A byte string as node:fs takes it: text where every byte is ASCII, bytes where Node would re-encode them. */
export function fsPath(path: string): string | Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole ASCII range is meant
  return /^[\x00-\x7f]*$/.test(path) ? path : Buffer.from(path, 'latin1');
}

/** The byte string of a file name that came as text. */
export function bytePath(path: string): string {
  return Buffer.from(path).toString('latin1');
}

/** A byte string as text, for messages. */
export function printPath(path: string): string {
  return Buffer.from(path, 'latin1').toString();
}

/** Text of unknown origin inside an error message: harmless to a terminal. */
import { stripVTControlCharacters } from 'node:util';

const MAX_LENGTH = 100;
/** C0 and C1 controls, and the marks that change the direction of what follows. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `'text'`, cut after 100 characters; characters that do not print appear as `\u{…}`. */
export function quote(text: string): string {
  const head = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
  return `'${head.replace(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)}'`;
}

/** Words of somebody else, without colours and whatever else a terminal would obey; lines stay lines. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replace(UNPRINTABLE, (char) => (char === '\n' || char === '\t' ? char : ''));
}

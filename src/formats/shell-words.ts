/**
 * Words of a shell, for what is written as part of a command: `NIX_SSHOPTS`. Nothing is expanded.
 *
 * Source: Nix 2.35 libutil/strings.cc, shellSplitString.
 */
import { FormatError } from '../errors.ts';

/**
 * Splits at spaces and tabs, outside of quotes and behind no backslash. In double quotes a backslash counts only before
 * one of ``$`"\``.
 *
 * @throws {FormatError} on a quote that does not end.
 */
export function splitShellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let position = 0;
  const rest = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) position += found.length;
    return found;
  };
  while (position < text.length) {
    if (rest(/[ \t]+/y) !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    const start = position;
    const plain = rest(/[^ \t"'\\]+/y);
    const single = plain ?? rest(/'[^']*'/y)?.slice(1, -1);
    const double =
      single ??
      rest(/"(?:[^"\\]|\\.)*"/sy)
        ?.slice(1, -1)
        .replace(/\\([$`"\\])/g, '$1');
    const escaped = double ?? rest(/\\./sy)?.slice(1);
    if (escaped === undefined) {
      if (text[start] !== '\\') throw new FormatError('shell words', start, 'a quote that does not end');
      position++; // a backslash at the end stands for nothing
    }
    word = (word ?? '') + (escaped ?? '');
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Makes one word of a shell out of any text; what needs no quotes stays as it is. */
export function quoteShellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
